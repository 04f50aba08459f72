"""A CPU that pretends to be one CUDA device, strictly: for tests without a GPU.

    python tests/pretend_cuda.py -m MODULE [words]     a module, such as pytest

A tensor "on cuda:0" is a wrapper around one in the CPU's memory. What CUDA refuses is
refused: two devices in one operation (except for single numbers, indices and copies),
`.numpy()`, a generator of the other device. Random numbers there are its own, and its
convolutions round what they read to TF32, as PyTorch lets a GPU do by default. So they
differ from the CPU's as a GPU's do, and what is compared to the last bit must be
computed on the CPU.

Nothing is said of speed, of memory, or of the order in which a GPU adds. There is no
torch.compile, NCCL or second device, and no operation that changes a tensor's shape in
place; a step of `fit` is never recorded as a graph. Written for torch 2.14 on Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

CUDA, CPU = torch.device("cuda:0"), torch.device("cpu")
CAPABILITY = (8, 0)  # of an A100, the first with bfloat16 units
COPIES = {"copy_", "_to_copy", "_foreach_copy_"}  # from one device to the other
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
CONVOLUTIONS = {"convolution", "convolution_backward"}
# operations that take no number from the other device, not even a single one
STRICT = {"cat", "stack", "mm", "addmm", "bmm", "dot", "gather", "scatter"}
STRICT |= {"index_select", "convolution"}
STEPS = ("_foreach_", "_fused_")  # of an optimizer
PRODUCTS = CONVOLUTIONS | {"mm", "addmm", "bmm", "baddbmm"}
PRODUCTS |= {"avg_pool3d", "avg_pool3d_backward"}  # the CPU has none of 16 bits
SIXTEEN_BITS = (torch.bfloat16, torch.float16)

cuda_random = torch.Generator().manual_seed(0)
generators: dict[int, torch.device] = {}  # by their address in C++


class CudaTensor(torch.Tensor):
    """A tensor that says it is on cuda:0; `inner` has its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> CudaTensor:
        kind = {"dtype": inner.dtype, "layout": inner.layout, "device": CUDA}
        kind |= {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        # a view of a parameter cannot be made in inference mode
        with torch.inference_mode(False):
            outer = torch.Tensor._make_wrapper_subclass(cls, inner.size(), **kind)
        outer.inner = inner
        return outer

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        with Pretence():
            return func(*args, **(kwargs or {}))

    # these two let Module.to exchange what is in a parameter, which stays the same one
    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(
        inner: dict[str, torch.Tensor], context: Any, size: Any, stride: Any
    ) -> CudaTensor:
        return CudaTensor(inner["inner"])

    def __repr__(self, **_: Any) -> str:
        gradient = f"grad_fn=<{self.grad_fn.name()}>" if self.grad_fn else ""
        gradient = gradient or "requires_grad=True" * self.requires_grad
        words = [repr(self.inner)[:-1], "device='cuda:0'", *filter(None, [gradient])]
        head = "Parameter containing:\n" * getattr(self, "_is_param", False)
        return f"{head}{', '.join(words)})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.dim() else repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> CudaTensor:
        if id(self) not in memo:
            new = self.detach().clone().requires_grad_(self.requires_grad)
            own = {key: value for key, value in vars(self).items() if key != "inner"}
            vars(new).update(own)
            memo[id(self)] = new
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        rebuild = torch._utils._rebuild_device_tensor_from_cpu_tensor
        there = self.detach().cpu(), self.dtype, "cuda:0", self.requires_grad
        return rebuild, there

    def untyped_storage(self) -> Any:
        return self.inner.untyped_storage()

    def data_ptr(self) -> int:
        return self.inner.data_ptr()

    def tolist(self) -> Any:
        return self.inner.tolist()

    def is_pinned(self, *_: Any) -> bool:
        return False


class Generator(torch._C.Generator):
    """A generator that remembers for which device it was made."""

    def __new__(cls, device: Any = "cpu") -> Generator:
        new = super().__new__(cls, device="cpu")
        generators[new._cdata] = CUDA if torch.device(device).type == "cuda" else CPU
        return new

    @property
    def device(self) -> torch.device:
        return generators[self._cdata]


class Pretence(TorchDispatchMode):
    """Sees every operation: unwraps, checks what CUDA checks, computes, wraps."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else all of torch's compiler would be imported

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        whole = torch._C._dispatch_has_kernel_for_dispatch_key
        if whole(func.name(), "CompositeImplicitAutograd"):  # of inference mode
            with self:
                if (found := func.decompose(*args, **kwargs)) is not NotImplemented:
                    return found
        flat, spec = tree_flatten((args, kwargs))
        mine = any(isinstance(x, CudaTensor) for x in flat)
        asked = next((x.type for x in flat if isinstance(x, torch.device)), None)
        here = mine if asked is None else asked == "cuda"
        check_generators(flat, "cuda" if here else "cpu")
        if not mine and not here:
            return func(*args, **kwargs)
        if mine and name not in COPIES:
            check_devices(func, name, args, flat)
        outer = {id(x.inner): x for x in flat if isinstance(x, CudaTensor)}
        args, kwargs = tree_unflatten([on_cpu(x) for x in flat], spec)
        for pointless in ("pin_memory", "non_blocking"):
            kwargs.pop(pointless, None)
        random = torch.Tag.nondeterministic_seeded in func.tags
        with cudas_numbers() if random else contextlib.nullcontext():
            found = compute(func, name, args, kwargs)
        if any(x.shape != x.inner.shape for x in outer.values()):
            raise NotImplementedError(f"pretend_cuda: {func} changed a shape in place")
        if not here:
            return found

        def wrap(t: torch.Tensor) -> torch.Tensor:
            return outer[id(t)] if id(t) in outer else CudaTensor(t)

        return tree_map_only(torch.Tensor, wrap, found)


def on_cpu(value: Any) -> Any:
    """What an operation on the CPU gets in the place of a tensor or device there."""
    if isinstance(value, CudaTensor):
        return value.inner
    if isinstance(value, torch.device) and value.type == "cuda":
        return CPU
    return value


def compute(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    """The operation; products of 16-bit numbers in float32, convolutions in TF32."""
    flat, spec = tree_flatten((args, kwargs))
    kinds = {getattr(x, "dtype", None) for x in flat}
    small = next((kind for kind in SIXTEEN_BITS if kind in kinds), None)
    if small and name in PRODUCTS:
        change: Callable[[Any], Any] = widened
    elif name in CONVOLUTIONS and torch.backends.cudnn.allow_tf32:
        change = rounded
    else:
        return func(*args, **kwargs)
    args, kwargs = tree_unflatten([change(x) for x in flat], spec)
    found = func(*args, **kwargs)
    if small and name in PRODUCTS:
        found = tree_map_only(torch.Tensor, lambda t: t.to(small), found)
    return found


def widened(value: Any) -> Any:
    return value.float() if getattr(value, "dtype", None) in SIXTEEN_BITS else value


def rounded(value: Any) -> Any:
    """To the nearest number of TF32: 10 bits of its mantissa instead of 23."""
    if getattr(value, "dtype", None) != torch.float32:
        return value
    bits = value.detach().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


# ------------------------------------------------------------------- what CUDA refuses
def check_generators(flat: Sequence[Any], wanted: str) -> None:
    for x in flat:
        if isinstance(x, torch._C.Generator):
            found = generators.get(x._cdata, CPU).type
            if found != wanted:
                what = f"Expected a '{wanted}' device type for generator but found"
                raise RuntimeError(f"{what} '{found}'")


def check_devices(func: Any, name: str, args: Any, flat: Sequence[Any]) -> None:
    """Raise what CUDA raises for tensors of two devices."""
    if name in INDEXING:  # the indices may be on the CPU, the values must agree
        indices = args[1]
        if not isinstance(args[0], CudaTensor) and any(
            isinstance(i, CudaTensor) for i in indices
        ):
            raise RuntimeError("indices should be on the CPU, as what they index is")
        flat = tree_flatten((args[0], args[2:]))[0]
    places = zip(func._schema.arguments, args, strict=False)
    written = [y for place, x in places if place.is_write for y in tree_flatten(x)[0]]
    if not any(isinstance(x, CudaTensor) for x in flat):
        return
    for x in flat:
        if not isinstance(x, torch.Tensor) or x.device != CPU:
            continue
        read_only = all(x is not y for y in written)
        may = name not in STRICT and read_only or name.startswith(STEPS)
        if x.dim() or not may:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two "
                f"devices, cuda:0 and cpu! ({func}, {tuple(x.shape)} on the CPU)"
            )


# ------------------------------------------------------------------ PyTorch, rearranged
@contextlib.contextmanager
def cudas_numbers() -> Iterator[None]:
    """Meanwhile the CPU draws from CUDA's generator."""
    kept = torch.default_generator.get_state()
    torch.default_generator.set_state(cuda_random.get_state())
    try:
        yield
    finally:
        cuda_random.set_state(torch.default_generator.get_state())
        torch.default_generator.set_state(kept)


@ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int8)
def no_context(hooks: Any, device: Any) -> bool:
    return False


def keep_autograd_off_the_driver() -> None:
    """Answer for CUDA's hooks that no device has begun: there is no driver to ask.

    hasPrimaryContext is the third virtual function of AcceleratorHooksInterface.h, and
    the destructor takes two places of the table: place 4, behind a head of two.
    """
    folder = os.path.join(os.path.dirname(torch.__file__), "lib")
    library = ctypes.CDLL(os.path.join(folder, "libtorch_cpu.so"))
    get = library._ZN2at6detail12getCUDAHooksEv
    get.restype = ctypes.c_void_p
    hooks, table = ctypes.c_void_p.from_address(get()), ctypes.c_void_p * 90
    assert hooks.value is not None
    own = table(*table.from_address(hooks.value - 16))
    own[2 + 4] = ctypes.cast(no_context, ctypes.c_void_p).value
    keep_autograd_off_the_driver.table = own  # type: ignore[attr-defined]  # alive
    hooks.value = ctypes.addressof(own) + 16


class Stream:
    """There is one order of work, so nothing to wait for."""

    def wait_stream(self, other: Stream) -> None:
        pass


def record_no_graph() -> None:
    """Let `fit(cuda_graph=True)` take its steps one by one, as the first ones."""
    torch.cuda.Stream = torch.cuda.current_stream = Stream
    torch.cuda.stream = lambda stream: contextlib.nullcontext()
    with contextlib.suppress(ImportError):  # of a program that has no alexnet_lab
        graphs = importlib.import_module("alexnet_lab.training.graphs")
        graphs.WARM_UP = sys.maxsize


def load_onto(load: Callable[..., Any]) -> Callable[..., Any]:
    """torch.load, with every tensor on `map_location`."""

    def wrapped(file: Any, map_location: Any = None, **options: Any) -> Any:
        found = load(file, **options)
        if map_location is None:
            return found
        return tree_map_only(torch.Tensor, lambda t: t.to(map_location), found)

    return wrapped


def from_numbers(make: Callable[..., Any]) -> Callable[..., Any]:
    """torch.tensor, of a list that holds single numbers on the device, too."""

    def wrapped(data: Any, *args: Any, **options: Any) -> Any:
        if isinstance(data, (list, tuple)):
            data = tree_map_only(CudaTensor, lambda t: t.tolist(), data)
        return make(data, *args, **options)

    return wrapped


def on() -> None:
    """Switch the pretence on, for the rest of the process."""
    if torch.Generator is Generator:
        return
    about = SimpleNamespace(
        name="pretended",
        major=CAPABILITY[0],
        minor=CAPABILITY[1],
        total_memory=16 * 2**30,
        multi_processor_count=1,
    )
    answers = {
        "is_available": True, "is_initialized": True, "device_count": 1,
        "current_device": 0, "get_device_name": "pretended",
        "get_device_capability": CAPABILITY, "get_device_properties": about,
        "memory_allocated": 0, "max_memory_allocated": 0,
        "mem_get_info": (2**34, 2**34),
        "_is_in_bad_fork": False, "_lazy_init": None, "synchronize": None,
        "set_device": None, "empty_cache": None, "reset_peak_memory_stats": None,
        "seed": None,
    }  # fmt: skip
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    others: dict[Any, dict[str, Any]] = {
        torch.cuda: {
            "is_bf16_supported": lambda including_emulation=True: True,
            "manual_seed": lambda seed: cuda_random.manual_seed(seed),
            "manual_seed_all": lambda seed: cuda_random.manual_seed(seed),
            "get_rng_state": lambda *_: cuda_random.get_state(),
            "set_rng_state": lambda state, *_: cuda_random.set_state(state),
        },
        torch.accelerator: {
            "is_available": lambda: True,
            "current_accelerator": lambda *_, **__: torch.device("cuda"),
            "current_device_index": lambda: 0,
            "set_device_index": lambda *_: None,
        },
        torch.Tensor: {"pin_memory": lambda self, *_: self},
    }
    # `with torch.device(…)` looks for PyTorch's own functions: before they change
    importlib.import_module("torch.utils._device")._device_constructors()
    others[torch] = {
        "tensor": from_numbers(torch.tensor),
        "as_tensor": from_numbers(torch.as_tensor),
        "Generator": Generator,
        "load": load_onto(torch.load),
    }
    for owner, names in others.items():
        for name, value in names.items():
            setattr(owner, name, value)
    for module in ("torch.optim.optimizer", "torch.utils._foreach_utils"):
        importlib.import_module(module)._foreach_supported_types.append(CudaTensor)
    torch.backends.cudnn.enabled = False
    torch._C._ensureCUDADeviceGuardSet()
    torch._C._set_only_lift_cpu_tensors(True)
    keep_autograd_off_the_driver()
    record_no_graph()
    Pretence().__enter__()


def main(module: str, *words: str) -> None:
    """Run a module as `python -m` does, on the pretended device."""
    on()
    sys.argv = [module, *words]
    sys.path[0] = ""
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import pretend_cuda  # under its name, for what is pickled

    del sys.path[0]
    pretend_cuda.main(*sys.argv[2:])
