"""The command line, each command in a process of its own: doctor, run, demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

import pytest


def call(*arguments, cwd=None, **environment):
    command = [sys.executable, "-m", "tinygrad_edu", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}, timeout=300
    )


def python(code, *arguments):
    """Run code after which `main` is called with the arguments: for processes where something is missing."""
    code = f"{textwrap.dedent(code)}\nimport sys\nfrom tinygrad_edu.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def script(tmp_path):
    """A function: code -> the file that has it."""

    def write(code, name="script.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(code))
        return path

    return write


# doctor -----------------------------------------------------------------------------------------------------------
def test_doctor_reports_and_is_content():
    done = call("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("numpy", "numba", "llvmlite", "tinygrad_edu", "matplotlib", "scikit-learn", "tqdm", "safetensors"):
        assert word in done.stdout
    for word in ("cores", "threads", "threading layer", "location", "nvidia driver", "simulator", "cuda kernels"):
        assert word in done.stdout
    assert done.stdout.endswith("tinygrad_edu works here\n")


def test_doctor_shows_the_cache_folder_and_the_simulator(tmp_path):
    folder = tmp_path / "kernels"
    done = call("doctor", TINYGRAD_EDU_CACHE=str(folder), NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(folder) in done.stdout
    assert "NUMBA_ENABLE_CUDASIM=1" in done.stdout
    assert any(folder.iterdir())  # what was tried was compiled there


@pytest.mark.parametrize("name", ["numba", "numpy", "llvmlite"])
def test_doctor_says_how_to_get_what_is_missing(name):
    done = python(f"import sys; sys.modules['{name}'] = None", "doctor")
    assert done.returncode == 1
    assert f"pip install {name}" in done.stdout
    assert "cannot work here" in done.stdout
    assert "Traceback" not in done.stderr


def test_doctor_says_which_extra_an_optional_package_is_in():
    hide = """
        from importlib import metadata
        real = metadata.version
        def version(name):
            if name in ("safetensors", "tqdm", "torch"):
                raise metadata.PackageNotFoundError(name)
            return real(name)
        metadata.version = version
    """
    done = python(hide, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for fix in ("pip install 'tinygrad-edu[io]'", "pip install 'tinygrad-edu[examples]'", "pip install torch"):
        assert fix in done.stdout


def test_doctor_sees_versions_that_do_not_fit():
    refuse = """
        import sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "numba":
                    raise ImportError("Numba needs NumPy 1.0 or less")
        sys.meta_path.insert(0, Finder())
    """
    done = python(refuse, "doctor")
    assert done.returncode == 1
    assert "Numba needs NumPy 1.0 or less" in done.stdout
    assert "pip install --upgrade numpy numba" in done.stdout


def test_doctor_asks_the_driver_without_numba_cuda():
    code = "import sys; from tinygrad_edu.doctor import main; main(); assert 'numba.cuda.cudadrv' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_doctor_tries_each_family_of_kernels_on_the_gpu():
    pytest.importorskip("greenlet")
    done = call("doctor", "--gpu", NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stdout + done.stderr
    for family in ("elementwise", "reduction", "matmul", "sort", "random"):
        assert re.search(rf"{family} +ok, first launch [\d.]+ s, a later one [\d,]+ µs", done.stdout)
    assert done.stdout.endswith("device='cuda' works here\n")


def test_doctor_says_which_kernels_differ():
    pytest.importorskip("greenlet")
    wrong = """
        import os; os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
        from tinygrad_edu import doctor
        doctor.philox = lambda device: __import__("tinygrad_edu").full((4,), float(device.type == "cpu"))
    """
    done = python(wrong, "doctor", "--gpu")
    assert done.returncode == 1
    assert "not those of the CPU (random: off by 1)" in done.stdout


def test_doctor_says_why_there_is_no_gpu():
    absent = """
        import os; os.environ["NUMBA_ENABLE_CUDASIM"] = "0"
        from tinygrad_kernels.cuda import presence
        presence.missing = lambda: "NVIDIA's driver is there, but reports no GPU"
    """
    done = python(absent, "doctor", "--gpu")
    assert done.returncode == 1
    assert "tinygrad_edu works here" in done.stdout
    assert "device='cuda' cannot work here:\n  - NVIDIA's driver is there, but reports no GPU\n" in done.stdout
    assert "Traceback" not in done.stderr
    assert python(absent, "doctor").returncode == 0


def test_what_a_driver_says_is_shown():
    from tinygrad_edu.doctor import asked_driver

    class Driver:  # answers as libcuda does, through the pointers it is given
        error = 0

        def cuDriverGetVersion(self, number):
            number._obj.value = 12040
            return 0

        def cuInit(self, flags):
            return self.error

        def cuDeviceGetCount(self, number):
            number._obj.value = 1
            return 0

        def cuDeviceGet(self, device, k):
            device._obj.value = k
            return 0

        def cuDeviceGetName(self, text, size, device):
            text.value = b"Some GPU"
            return 0

    driver = Driver()
    assert list(asked_driver(driver)) == [("cuda of driver", "12.4"), ("gpu 0", "Some GPU")]
    driver.error = 100
    assert ("gpu", "none can be used: cuInit gives error 100") in list(asked_driver(driver))


# run --------------------------------------------------------------------------------------------------------------
def test_an_unmodified_program_runs(script):
    path = script("""
        import sys
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        import torch.optim as optim
        from torch import Tensor
        from torch.autograd import grad

        torch.manual_seed(0)
        x = torch.linspace(-1, 1, 50).reshape(50, 1)
        y = 3 * x + 2
        model = nn.Sequential(nn.Linear(1, 1))
        optimizer = optim.SGD(model.parameters(), lr=0.3)
        for _ in range(200):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        weight, bias = model.parameters()
        assert isinstance(weight, Tensor)
        assert abs(weight.item() - 3) < 1e-3 and abs(bias.item() - 2) < 1e-3
        print("trained", __name__, sys.argv[1:])
    """)
    done = call("run", path, "--epochs", "3", "-h")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained __main__ ['--epochs', '3', '-h']\n"


def test_the_modules_are_the_librarys_own_and_stay_as_they_were(script):
    path = script("""
        import torch, torch.nn.functional as F, tinygrad_edu as tg
        import torch.autograd
        assert torch is tg and F is tg.nn.functional and torch.autograd is tg.autograd
        assert torch.__spec__.name == "tinygrad_edu" and F.__spec__.name == "tinygrad_edu.nn.functional"
        assert isinstance(torch.ones(2), tg.Tensor)
    """)
    done = call("run", path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_programs_own_imports_and_its_exit_status(script, tmp_path):
    script("import torch\nNUMBER = float(torch.ones(3).sum())", name="helper.py")
    path = script("import sys, helper\nprint(__file__, sys.argv[0])\nsys.exit(int(helper.NUMBER))")
    done = call("run", "script.py", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert done.stdout == "script.py script.py\n"
    assert call("run", path).returncode == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import torch.optimm", "has no module 'tinygrad_edu.optimm'; did you mean 'optim'?"),
        ("import torch.nn.functionall as F", "has no module 'tinygrad_edu.nn.functionall'; did you mean 'functional'?"),
        ("from torch.not_here.at_all import x", "the program imports 'torch.not_here'"),
        ("import torch; torch.sigmoidd", "has no attribute 'sigmoidd'; did you mean 'sigmoid'?"),
        ("import torch.nn.parallel", "'tinygrad_edu.nn.parallel'; it is outside this library's scope (several"),
        ("from torch.cuda.amp import autocast", "'tinygrad_edu.cuda.amp'; it is outside this library's scope (mixed"),
        ("from torch.nn import Linearr", "cannot import name 'Linearr' from 'tinygrad_edu.nn'"),
        ("from torch import no_gradd", "cannot import name 'no_gradd' from 'tinygrad_edu'"),
    ],
)
def test_what_is_missing_is_named(script, line, message):
    done = call("run", script(line))
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]


def test_a_program_may_ask_whether_a_module_is_there(script):
    path = script("""
        try:
            import torch.not_here
        except ImportError:
            print("without")
    """)
    assert call("run", path).stdout == "without\n"


def test_pytorch_that_is_imported_already_is_an_error(script):
    done = python("import sys, types; sys.modules['torch'] = types.ModuleType('torch')", "run", script("import torch"))
    assert done.returncode == 2
    assert "PyTorch itself is already imported" in done.stderr


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    done = call("run", tmp_path / "nothing.py")
    assert done.returncode == 2
    assert "there is no file" in done.stderr and "nothing.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_that_the_program_makes_itself_is_its_own(script):
    done = call("run", script("open('not here')"))
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr.splitlines()[-1]


# the rest ---------------------------------------------------------------------------------------------------------
def test_demo_gets_the_rest_of_the_line():
    stand_in = """
        import sys, types
        import tinygrad_edu
        demo = types.ModuleType("tinygrad_edu.demo")
        demo.main = lambda argv: print(argv) or 5
        sys.modules["tinygrad_edu.demo"] = tinygrad_edu.demo = demo
    """
    done = python(stand_in, "demo", "--epochs", "3", "--help")
    assert (done.returncode, done.stdout) == (5, "['--epochs', '3', '--help']\n"), done.stderr


@pytest.mark.parametrize("arguments", [(), ("dotcor",), ("doctor", "--loud")])
def test_a_wrong_command_line_is_status_2(arguments):
    done = call(*arguments)
    assert done.returncode == 2
    assert "usage: python -m tinygrad_edu" in done.stderr


def test_help_lists_the_commands_and_loads_nothing_heavy():
    code = """
        import sys, atexit
        atexit.register(lambda: print("heavy:", sorted({"numpy", "numba"} & set(sys.modules))))
    """
    done = python(code, "--help")
    assert done.returncode == 0
    for word in ("demo", "doctor", "run", "heavy: []"):
        assert word in done.stdout
