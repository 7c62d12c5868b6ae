"""What takes long, and is the same for every notebook? It is done once, before workers are forked.

Nothing here but imports, and the rules of notebooks made ready for use.
"""

import gc

import jupyter_client.session  # noqa: F401  each of these is found already there by every fork
import nbval.plugin  # noqa: F401
import zmq  # noqa: F401
from nbformat.validator import get_validator

from . import connection, nbval_plugin, worker  # noqa: F401

get_validator(4, 5)
gc.freeze()  # what is here now stays shared between all forks
