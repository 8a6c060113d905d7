"""Devices of torch: run where torch is, refused with a reason where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parent / "torch" / "device_cases.py"


@pytest.mark.models
@pytest.mark.network
@pytest.mark.slow
def test_devices_of_torch_agree_with_the_cpu(model_python, project):
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    # The fixtures of the project import packages that this environment does not have.
    command = [model_python("torch"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--noconftest", "--import-mode=importlib", str(CASES)],
        env=environment, cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


WITHOUT_TORCH = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Without())
import numpy as np
from matteralign.metrics import MetricInputError, summarize
from matteralign.metrics.tiles.backend import open_backend
x = np.random.default_rng(0).normal(size=(20, 3))
for device in ("cuda", "cuda:1", "torch"):
    try:
        summarize(x, k_neighbors=2, device=device)
    except MetricInputError as error:
        assert "needs torch" in str(error) and "matteralign[gpu]" in str(error), error
    else:
        raise AssertionError(device)
assert open_backend("auto").name == "cpu"
"""


def test_without_torch_the_message_says_what_to_do():
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True)


NOT_IMPORTED = """
import sys
import numpy as np
from matteralign.metrics import MetricSpec, compare, summarize
x = np.random.default_rng(0).normal(size=(40, 3))
summarize(x, k_neighbors=2)
list(compare({"a": x, "b": x[:, :2]}, [("a", "b")], [MetricSpec("dcor"), MetricSpec("cka")]))
assert "torch" not in sys.modules
"""


def test_the_cpu_never_imports_torch():
    subprocess.run([sys.executable, "-c", NOT_IMPORTED], check=True)
