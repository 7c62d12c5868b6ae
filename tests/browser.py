"""A real JupyterLab in a real browser, isolated from everything of the reader's own.

    with Lab(folder) as lab, opened(lab) as page:
        page.open("lesson.ipynb")          # a path below the folder
        page.run_all()
        page.cell(0).get_by_role("slider").press("ArrowRight")

`page.page` is Playwright's own page. Nothing here downloads a browser: it uses the Chromium or Chrome that is there.
Wait for conditions, never for seconds: Playwright's `wait_for` and `expect`, or `page.wait_idle()`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from pathlib import Path

CALM = {  # settings that remove every surprise of a first visit
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False, "confirmClosingDocument": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "recordTiming": False},
    "@jupyterlab/extensionmanager-extension/plugin": {"enabled": False},
}

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
MISSING = "no Chromium or Chrome was found: install one (Debian: apt-get install chromium fonts-dejavu), then run again"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
STATUS = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"


def chromium():
    """The path of an installed Chromium, Chrome or Edge, or None."""
    found = [shutil.which(name) for name in NAMES] + [place for place in PLACES if Path(place).exists()]
    return next(filter(None, found), None)


class Lab:
    """JupyterLab on a free port of this machine, with settings, kernels and memory of its own."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.token = secrets.token_hex(16)
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.state = Path(tempfile.mkdtemp(prefix="lab-"))
        for plugin, values in CALM.items():
            file = self.state / "settings" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        with open(self.state / "log", "w") as log:
            group = {"start_new_session": True} if os.name == "posix" else {}
            self.server = subprocess.Popen(
                self._command(), env=self._environment(), cwd=self.root, stdout=log, stderr=log, **group
            )
        self._wait()
        return self

    def __exit__(self, *_):
        try:
            self._ask("shutdown", method="POST")  # stops the kernels too
            self.server.wait(15)
        except (OSError, subprocess.TimeoutExpired):
            self._kill()
        shutil.rmtree(self.state, ignore_errors=True)

    def _command(self):
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.root,
            "IdentityProvider.token": self.token,
            "LabApp.expose_app_in_browser": True,
            "LabApp.news_url": None,
            "LabApp.extension_manager": "readonly",
        }
        root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "jupyterlab", "--no-browser", *flags, *root]

    def _environment(self):
        names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
        own = {f"JUPYTER_{name}": str(self.state / name.lower()) for name in names}
        own |= {f"JUPYTERLAB_{name}_DIR": str(self.state / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
        own |= {"IPYTHONDIR": str(self.state / "ipython"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        leave = {"MPLBACKEND", "PYTHONWARNINGS"}  # of whoever runs the tests, not of a learner
        return {name: value for name, value in os.environ.items() if name not in leave} | own

    def _wait(self, patience=60):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.server.poll() is None:
            with suppress(OSError):
                return self._ask("status")
            time.sleep(0.1)
        self._kill()
        raise RuntimeError("JupyterLab did not start:\n" + (self.state / "log").read_text()[-3000:])

    def _ask(self, what, method="GET"):
        request = urllib.request.Request(f"{self.url}/api/{what}?token={self.token}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def _kill(self):
        with suppress(OSError):
            os.killpg(self.server.pid, signal.SIGKILL) if os.name == "posix" else self.server.kill()
        self.server.wait(10)


class LabPage:
    """One page of JupyterLab, steered through its commands and not through its menus, which change."""

    def __init__(self, page, lab):
        self.page, self.lab = page, lab
        page.page_errors, page.offsite, page.console_log = [], [], []
        page.on("pageerror", lambda error: page.page_errors.append(str(error)))
        page.on("console", lambda message: page.console_log.append(f"{message.type}: {message.text}"))
        page.on("request", self._note)

    def _note(self, request):
        here = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "file:")
        if not request.url.startswith(here):
            self.page.offsite.append(request.url)

    def open(self, path, timeout=60):
        """Open a notebook and wait until its kernel is ready."""
        self.page.set_default_timeout(timeout * 1000)
        self.page.goto(f"{self.lab.url}/lab/tree/{path}?token={self.lab.token}&reset")
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored.then(() => true)")
        self.page.wait_for_function(
            """() => { const widget = window.jupyterapp.shell.currentWidget;
                return widget?.content?.widgets && widget.sessionContext.session?.kernel?.status === 'idle'; }"""
        )
        self.hide_sidebar()
        return self

    def command(self, name, arguments=None):
        """Run one of JupyterLab's commands; returns when it is done."""
        script = "([name, given]) => window.jupyterapp.commands.execute(name, given || {}).then(() => null)"
        return self.page.evaluate(script, [name, arguments])

    def run_all(self, timeout=120):
        """Run every cell; returns when the kernel is idle again."""
        self.page.set_default_timeout(timeout * 1000)
        self.command("notebook:run-all-cells")
        self.wait_idle(timeout)
        self.page.set_default_timeout(30_000)

    def wait_idle(self, timeout=60, quiet=0.3):
        """Wait until the kernel has been idle for `quiet` seconds."""
        script = f"""quiet => {{ if ({STATUS} !== 'idle') {{ window.idleSince = 0; return false; }}
            window.idleSince ||= performance.now(); return performance.now() - window.idleSince > quiet; }}"""
        self.page.evaluate("() => { window.idleSince = 0; }")
        self.page.wait_for_function(script, arg=quiet * 1000, timeout=timeout * 1000)

    def save(self):
        """Save the notebook; returns when it is on disk."""
        self.command("docmanager:save")
        self.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")

    def shut_down(self):
        """Stop every kernel."""
        self.page.evaluate("() => window.jupyterapp?.serviceManager.sessions.shutdownAll().then(() => null)")

    def errors(self):
        """What cells wrote in red, as a person would see it."""
        kinds = "application/vnd.jupyter.error", "application/vnd.jupyter.stderr"
        places = ", ".join(f".jp-RenderedText[data-mime-type='{kind}']" for kind in kinds)
        return self.page.eval_on_selector_all(places, "nodes => nodes.map(node => node.textContent)")

    def hide_sidebar(self):
        """Leave the whole width to the notebook."""
        if self.page.evaluate("() => window.jupyterapp.shell.leftCollapsed === false"):
            self.command("application:toggle-left-area")

    def theme(self, name):
        """Change to "JupyterLab Light" or "JupyterLab Dark"."""
        self.command("apputils:change-theme", {"theme": name})

    def cell(self, number):
        """The cell with this number, from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def slider(self, cell, number=0):
        """The handle of a slider in a cell, when it is there to be taken."""
        handle = self.cell(cell).locator(".noUi-handle").nth(number)
        handle.wait_for(state="visible")
        return handle

    def shot(self, path):
        """A picture of the window, to look at."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path))


@contextmanager
def opened(lab, *, width=1500, height=1000, **context):
    """An empty browser window for `lab`; `context` goes to Playwright's `new_context`: reduced_motion="reduce" …"""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            page = LabPage(browser.new_context(viewport={"width": width, "height": height}, **context).new_page(), lab)
            yield page
            with suppress(Exception):  # the test may have closed or crashed the page: then there is nothing to stop
                page.shut_down()
        finally:
            browser.close()
