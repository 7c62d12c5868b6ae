"""How did it unfold? The bakery and the kitchen come alive: scenes that play what a trace says.

    Run, Trace ──► score       what is where, and when          (words, crowd, layout)
                     ├──► moment.js    a pure function of score and time
                     │      stage.js, timeline.js, scene.js, page.js, art.svg, scene.css
                     └──► still        three moments, for a page without scripts
    Workload ──► kitchens      simulated at once
            └──► oven          baked for real, in a process of its own

All meaning is decided in Python, once; the page interpolates and draws.
"""

from .scene import Bakery, Kitchen, Race, Scene

__all__ = ["Bakery", "Kitchen", "Race", "Scene"]
