"""From a bundle and what was asked for to a graph that runs. Libraries are imported only here."""

from edge_codec.runtime.backends import Graph, silenced_stderr
from edge_codec.runtime.backends.selection import choose_backend
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.errors import BundleError, MissingExtraError
from edge_codec.runtime.manifest import AUTO


def open_graph(
    bundle: Bundle,
    role: str,
    *,
    layers: int | None = None,
    threads: int | None = None,
    precision: str = AUTO,
    backend: str = AUTO,
) -> Graph:
    """Load the `encoder` or `decoder` of a bundle.

    Args:
        bundle: where from.
        role: encoder or decoder.
        layers: an encoder need give no more than these, though it may; None for all.
        threads: threads one call may use; None for what the bundle's target says.
        precision: fp32, int8, or auto for the best one the bundle ships.
        backend: onnx, tflite, lyra, or auto as in `choose_backend`.

    Raises:
        BundleError: the bundle has no such graph, or it cannot be loaded.
        MissingExtraError: what runs it is not installed.
    """
    backend = choose_backend(bundle, backend, precision)
    if precision == AUTO:
        precision = bundle.best_precision(backend)
    opener = {"onnx": _open_onnx, "tflite": _open_tflite, "lyra": _open_lyra}[backend]
    with silenced_stderr():
        threads = threads or bundle.target["threads"]
        return opener(bundle, role, precision, threads, layers or bundle.spec.layers)


def _open_onnx(bundle: Bundle, role: str, precision: str, threads: int, layers: int) -> Graph:
    del layers  # its graphs give all
    from edge_codec.runtime.backends.onnx import OnnxGraph  # noqa: PLC0415  only when used

    return OnnxGraph(
        bundle.graph_path(role, precision, "onnx"),
        state_size=bundle.state_size(role, precision, "onnx"),
        threads=threads,
        providers=bundle.target["providers"],
    )


def _open_tflite(bundle: Bundle, role: str, precision: str, threads: int, layers: int) -> Graph:
    from edge_codec.runtime.backends import tflite  # noqa: PLC0415  likewise

    runs = tflite.precision_here(precision, bundle.precisions("tflite"))
    if runs is None:
        raise MissingExtraError(tflite.NEEDS_LITERT)
    audio = tflite.Stream(name="audio", dtype="float32", frame=(bundle.spec.hop_samples,))
    codes = tflite.Stream(name="codes", dtype="int32", frame=(1, bundle.spec.layers))
    takes, gives = (audio, codes) if role == "encoder" else (codes, audio)
    return tflite.TfliteGraph(
        bundle.graph_path(role, runs, "tflite"),
        takes=takes,
        gives=gives,
        state_size=bundle.state_size(role, runs, "tflite"),
        threads=threads,
        layers=layers,
    )


def _open_lyra(bundle: Bundle, role: str, precision: str, threads: int, layers: int) -> Graph:
    from edge_codec.runtime.backends import lyra  # noqa: PLC0415  only when used

    spec = bundle.spec
    sizes = (spec.hop_samples, spec.layers, spec.codebook_size)
    if sizes != (lyra.HOP_SAMPLES, lyra.LAYERS, lyra.CODEBOOK_SIZE):
        raise BundleError(f"{bundle.path} has Lyra's graphs and another codec: {spec}")
    paths = (bundle.graph_path(name, precision, "lyra") for name in (role, "quantizer"))
    if role == "encoder":
        return lyra.LyraEncoder(*paths, threads=threads, layers=layers)
    return lyra.LyraDecoder(*paths, threads=threads)
