"""The demo: the sandbox and the real daemon as processes, on a store full of troubles.

Nothing in the product knows of it: it writes keys, a configuration, and looks on
as `rotator status` does.
"""

from __future__ import annotations

from rotator.wiring.demo.play import Demo, Places, Plan, Stage, Summary
from rotator.wiring.demo.processes import DemoFailed
from rotator.wiring.demo.steps import Step

__all__ = ["Demo", "DemoFailed", "Places", "Plan", "Stage", "Step", "Summary"]
