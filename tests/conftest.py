"""What all tests share: hypothesis profiles, and where the recorded data is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("night", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# tools/mutants asks only whether a mutant fails: a failure needs no shrinking.
settings.register_profile("mutants", settings.get_profile("quick"), phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# A shell's background job ignores Ctrl-C, and all that it starts inherits that: the tests that send it would wait.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SIXKIT_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded data, which is not part of the project."""
    if not DATA.is_dir():
        pytest.skip(f"no recorded data at {DATA}; set SIXKIT_DATA to its folder")
    return DATA
