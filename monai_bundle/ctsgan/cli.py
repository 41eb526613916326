"""The command line. Heavy imports stand where they are needed, so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path

from . import __version__
from .errors import CTError
from .io.series import COMPRESSIONS
from .progress import STYLES, progress_display

DEGRADATIONS = ("area", "portable", "bicubic", "scanner", "paper")
"""``ctsgan.degradation.PRESETS``, here so that ``--help`` need not load PyTorch."""

DICOM = "dicom"
FORMATS = {
    DICOM: ("",),
    "nifti": (".nii.gz", ".nii"),
    "nrrd": (".nrrd", ".nhdr"),
    "metaimage": (".mha", ".mhd"),
    "tiff": (".tif", ".tiff"),
}
"""What can be written, with the suffixes of its names (``ctsgan.io.common.SUFFIXES``, there without the packages that
``--help`` need not load), the usual one first; DICOM is a folder."""

COMMANDS = "ctsgan.commands"
"""Entry points by which hosts enter commands of their own: functions of the sub-parsers' action."""

SCORES = ("fidelity", "perception", "physics", "honesty", "cost")
"""``ctsgan.evaluation.scores.GROUPS``, here for the same reason."""


def _fidelity(text: str) -> float | None:
    if text == "off":
        return None
    width = float(text)
    if not 1.0 <= width <= 200.0:
        raise argparse.ArgumentTypeError("a width in mm between 1 and 200, or off")
    return width


def _softness(text: str) -> float:
    softness = float(text)
    if not -1.0 <= softness <= 1.0:
        raise argparse.ArgumentTypeError("a number from -1 to 1")
    return softness


def positive(text: str) -> int:
    """A whole number of 1 or more, as the type of an option."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _add_reading_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--series", metavar="UID|NUMBER", help="which DICOM series of a folder")
    group.add_argument("--force", action="store_true", help="go on where the input does not look like a CT")
    group.add_argument("--fill", type=float, metavar="HU", help="put this in the place of NaN and Inf")


def _add_writing_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--progress", choices=STYLES, default="bar", help="how to show it (default bar)")
    group.add_argument(
        "--format", choices=FORMATS, help="of the output (default what its name says, in a folder the input's)"
    )
    group.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    group.add_argument("--recursive", action="store_true", help="look for volumes in sub-folders too")


def add_series_options(group: argparse._ArgumentGroup) -> None:
    """In what form a derived series is written; see :class:`ctsgan.io.series.SeriesOptions`."""
    group.add_argument("--multi-frame", action="store_true", help="DICOM: one Enhanced CT image, not one a slice")
    group.add_argument("--compress", choices=COMPRESSIONS, dest="compression", help="DICOM: without loss")
    group.add_argument("--anonymize", action="store_true", help="DICOM: by the Basic Confidentiality Profile")


def add_enhancing_options(group: argparse._ArgumentGroup) -> None:
    """What is done to a volume, whatever it comes from; see :class:`ctsgan.workflow.Request`."""
    group.add_argument(
        "--scale", type=int, choices=(1, 2, 4), help="pixels become this much finer; 1 cleans (default 2)"
    )
    group.add_argument(
        "--spacing", type=float, dest="spacing_mm", metavar="MM", help="ask for a pixel size instead of a scale"
    )
    group.add_argument("--model", default="light", help="see `ctsgan models` (default light)")
    group.add_argument("--strength", default="low", metavar="low|medium|high|0..1", help="restoration strength")
    group.add_argument(
        "--fidelity",
        type=_fidelity,
        default="5",
        dest="fidelity_mm",
        metavar="MM|off",
        help="regions wider than this keep their mean HU",
    )
    group.add_argument(
        "--softness",
        type=_softness,
        metavar="-1..1",
        help="of the kernel, -1 sharpened, 0 as wide as a pixel, 1 soft, for models that take it (default: measured)",
    )


def add_computing_options(group: argparse._ArgumentGroup) -> None:
    """How it is computed; see :class:`ctsgan.workflow.Request`."""
    group.add_argument("--tile", type=positive, metavar="N", help="window edge in pixels; less memory, same result")
    group.add_argument("--batch", type=positive, default=1, metavar="N", help="slices at once (default 1)")
    group.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:n]|mps")
    group.add_argument("--dtype", default="auto", choices=("auto", "float32", "float16", "bfloat16"))
    group.add_argument("--threads", type=positive, metavar="N", help="processor threads")


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to do")
    add_enhancing_options(what)
    what.add_argument("--roi", metavar="I0:I1,J0:J1,K0:K1", help="only these columns, rows and slices (voxels)")
    _add_reading_options(what)
    add_computing_options(parser.add_argument_group("how to compute it"))


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``ctsgan``."""
    parser = argparse.ArgumentParser(
        prog="ctsgan",
        description="Sharper and cleaner CT volumes: same patient, same place, true HU.",
        epilog="For research; not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"ctsgan {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    enhance = commands.add_parser("enhance", help="enhance a volume, a DICOM series or a folder of volumes")
    enhance.add_argument(
        "input", type=Path, help=".nii .nii.gz .nrrd .mha .mhd .tif, a DICOM series folder, or a folder"
    )
    enhance.add_argument("output", type=Path, help="a file of these kinds, or a folder")
    _add_request_options(enhance)
    files = enhance.add_argument_group("input and output")
    _add_writing_options(files)
    add_series_options(files)
    files.add_argument(
        "--new-study", action="store_true", help="DICOM from another format: a study of a nameless patient"
    )
    enhance.set_defaults(run=_enhance)

    degrade = commands.add_parser("degrade", help="make a volume coarser, blurrier and noisier, to try things on")
    degrade.add_argument("input", type=Path, help="a volume, a DICOM series folder or a folder, as for enhance")
    degrade.add_argument("output", type=Path, help="a file, or a folder")
    what = degrade.add_argument_group("what to do")
    what.add_argument("--preset", choices=DEGRADATIONS, default="scanner", help="what happens to it (default scanner)")
    what.add_argument(
        "--scale", type=int, choices=(1, 2, 4), default=2, help="pixels become this much wider (default 2)"
    )
    what.add_argument("--seed", type=_seed, default=0, metavar="N", help="same seed, same voxels (default 0)")
    _add_reading_options(what)
    _add_writing_options(degrade.add_argument_group("input and output"))
    degrade.set_defaults(run=_degrade)

    info = commands.add_parser("info", help="say what enhance would do, without doing it")
    info.add_argument("input", type=Path)
    _add_request_options(info)
    info.add_argument("--json", action="store_true", help="say it as one line of JSON, for programs")
    info.set_defaults(run=_info)

    evaluate = commands.add_parser("evaluate", help="measure our models beside what people would pick instead")
    evaluate.add_argument("reference", type=Path, nargs="?", metavar="REFERENCE_DIR", help="folder of CT volumes in HU")
    evaluate.add_argument("output", type=Path, nargs="?", metavar="OUT", help="folder for the report; resumes in it")
    what = evaluate.add_argument_group("what to do")
    what.add_argument(
        "--scale", type=int, choices=(1, 2, 4), help="of the comparison (default 4, or what the pairs say)"
    )
    what.add_argument(
        "--preset", nargs="+", choices=DEGRADATIONS, help="what makes the low-quality slices (default the protocols)"
    )
    what.add_argument("--paired", type=Path, metavar="LOW_DIR", help="measured low-quality volumes of the same names")
    what.add_argument(
        "--methods", nargs="+", metavar="NAME", help="some of the methods, or model files that spandrel reads"
    )
    what.add_argument(
        "--model", default="light", help="ours where no methods are named, see `ctsgan models` (default light)"
    )
    what.add_argument("--scores", nargs="+", choices=SCORES, default=SCORES, help="what to measure (default all)")
    what.add_argument("--every", type=positive, default=1, metavar="N", help="take every n-th slice of a volume")
    what.add_argument("--limit", type=positive, metavar="N", help="at most so many slices in all, evenly spread")
    what.add_argument(
        "--get-peers", action="store_true", help="download the weights of others that are not there, with licences"
    )
    how = evaluate.add_argument_group("how to do it")
    how.add_argument("--threads", type=positive, metavar="N", help="processor threads")
    how.add_argument("--progress", choices=STYLES, default="bar", help="how to show it (default bar)")
    evaluate.set_defaults(run=_evaluate)

    models = commands.add_parser("models", help="list the models with size, scales, licence and measured quality")
    models.set_defaults(run=_models)

    for host in entry_points(group=COMMANDS):
        host.load()(commands)
    return parser


def request_of(arguments: argparse.Namespace, kind: type | None = None):
    """The request that the options name, of ``kind`` or to enhance; what has no option is as usual."""
    from .workflow import Request

    kind = kind or Request
    given = {field.name for field in fields(kind)} & set(vars(arguments))
    return kind(**{name: getattr(arguments, name) for name in given})


def require_installed(command: str, modules: Sequence[str], extra: str) -> None:
    """Refuse a command whose packages are not installed.

    Raises:
        CTError: with what is missing, and the extra of this package that brings it.
    """
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise CTError(f"`{command}` needs {', '.join(missing)}; install it with: pip install 'ctsgan[{extra}]'")


def cancellable(work: Callable[[], int], arguments: argparse.Namespace, **options: str) -> int:
    """Do ``work`` so that Ctrl-C, or the host that closes standard input, ends it at once."""
    from .cancel import run_cancellable

    return run_cancellable(work, watch_stdin=arguments.progress == "slicer", **options)


def _enhance(arguments: argparse.Namespace) -> int:
    def one(source: Path, target: Path, progress: Callable[[int, int], None]) -> object:
        from .workflow import enhance_file

        return enhance_file(source, target, request_of(arguments), progress)

    return cancellable(lambda: _each_volume(arguments, one), arguments)


def _each_volume(arguments: argparse.Namespace, work: Callable[[Path, Path, Callable], object]) -> int:
    """Do ``work`` (source, target, progress), which reports, on the input or on every volume in it."""
    from .io.files import find_volumes, is_dicom_folder

    source: Path = arguments.input
    if source.is_dir() and not is_dicom_folder(source):
        volumes = find_volumes(source, recursive=arguments.recursive)
        if not volumes:
            raise CTError(f"no CT volume in {source}; look deeper with --recursive, or give a file or a DICOM folder")
        return _each_of_folder(arguments, source, volumes, work)
    with progress_display(arguments.progress, source.name) as progress:
        report = work(source, _target(source, arguments.output, _kind(arguments)), progress)
    print(report)
    return 0


def _kind(arguments: argparse.Namespace) -> str | None:
    """The format that was asked for; a new study is DICOM, unless the output is called a file, which is refused."""
    from .io.files import split_suffix

    if not arguments.format and getattr(arguments, "new_study", False) and not split_suffix(arguments.output)[1]:
        return DICOM
    return arguments.format


def _target(source: Path, output: Path, kind: str | None) -> Path:
    """The output itself if it is a file name or a series; else the source's name in that folder.

    Args:
        source: one volume.
        output: as it was given.
        kind: one of :data:`FORMATS`, where it was asked for.
    """
    from .io.files import SUFFIXES, split_suffix

    suffix = split_suffix(output)[1]
    if kind:
        if suffix and suffix not in FORMATS[kind]:
            raise CTError(f"{output} does not have the name of {kind}; leave --format out, or name it otherwise")
        return output if suffix or kind == DICOM else output / _renamed(source.resolve().name, kind)
    is_dicom = split_suffix(source)[1] not in SUFFIXES
    if source.is_dir() or is_dicom or suffix:
        return output
    if output.suffix and not output.is_dir():
        raise CTError(f"{output} is not of a kind that can be written; choose {', '.join(SUFFIXES)} or a folder")
    return output / source.name


def _renamed(name: str | Path, kind: str | None) -> Path:
    """The name that a volume has in a format, or the same if none was asked for."""
    from .io.files import split_suffix

    return Path(name).with_name(split_suffix(name)[0] + FORMATS[kind][0]) if kind else Path(name)


def _each_of_folder(
    arguments: argparse.Namespace, source: Path, volumes: list[Path], work: Callable[[Path, Path, Callable], object]
) -> int:
    from .io.files import split_suffix

    if split_suffix(arguments.output)[1]:
        raise CTError(f"{source} holds {len(volumes)} volumes, so the output must be a folder, not {arguments.output}")
    kind = _kind(arguments)
    targets = [arguments.output / _renamed(volume.relative_to(source), kind) for volume in volumes]
    if twice := sorted({str(target) for target in targets if targets.count(target) > 1}):
        raise CTError(f"several volumes would become {', '.join(twice)}; give them other names, or leave --format out")
    failed = []
    with progress_display(arguments.progress, source.name, unit="volume") as progress:
        for index, (volume, target) in enumerate(zip(volumes, targets, strict=True)):

            def step(done: int, total: int, index: int = index) -> None:
                progress(index + done / total, len(volumes))

            try:
                report = work(volume, target, step)
                print(report, flush=True)
            except CTError as error:
                failed.append(volume)
                print(f"ctsgan: {error}", file=sys.stderr, flush=True)
    if failed:
        names = ", ".join(str(volume.relative_to(source)) for volume in failed)
        raise CTError(f"{len(failed)} of {len(volumes)} volumes were not {arguments.command}d: {names}")
    return 0


def _degrade(arguments: argparse.Namespace) -> int:
    def one(source: Path, target: Path, progress: Callable[[int, int], None]) -> object:
        from .degradation.volumes import DegradeRequest, degrade_file

        return degrade_file(source, target, request_of(arguments, DegradeRequest), progress, _notice)

    return cancellable(lambda: _each_volume(arguments, one), arguments)


def _notice(sentence: str) -> None:
    print(f"ctsgan: {sentence}", file=sys.stderr, flush=True)


def _info(arguments: argparse.Namespace) -> int:
    from .io.files import read_volume
    from .plan import cautions, free_memory_bytes, grid_text
    from .workflow import device_name, devices_here, estimate, make_plan

    request = request_of(arguments)
    volume = read_volume(arguments.input, series=request.series, force=request.force, fill=request.fill)
    plan = make_plan(volume.voxels.shape, volume.affine, request)
    cost = estimate(volume, plan, request)
    free = free_memory_bytes()
    notes = cautions(volume, plan, free)
    if arguments.json:
        import json

        facts = {
            "input": grid_text(volume.voxels.shape, volume.spacing_mm),
            "output": grid_text(plan.shape, plan.spacing_mm),
            "scale": plan.scale,
            "memory_bytes": cost.memory_bytes,
            "free_memory_bytes": free,
            "output_bytes": cost.output_bytes,
            "seconds": cost.seconds,
            "device": str(cost.device),
            "device_name": device_name(cost.device),
            "devices": devices_here(),
            "notes": notes,
        }
        print(json.dumps(facts))
        return 0
    print(f"input   {grid_text(volume.voxels.shape, volume.spacing_mm)}, {volume.voxels.dtype}")
    print(f"output  {grid_text(plan.shape, plan.spacing_mm)}, {cost.dtype}")
    extra = ", then resampled to the wanted spacing" if plan.resampling else ""
    print(f"model   {request.model} x{plan.scale}, strength {request.strength}{extra}")
    beside = f", {free / 2**30:.1f} GiB free" if free is not None else ""
    print(
        f"memory  about {cost.memory_bytes / 2**30:.1f} GiB{beside}; on disk up to {cost.output_bytes / 2**30:.2f} GiB"
    )
    print(f"time    about {cost.seconds:.0f} s on {cost.device} ({cost.seconds / plan.shape[0]:.2f} s a slice)")
    for note in notes:
        print(f"note    {note}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    if arguments.reference is None and not arguments.get_peers:
        raise CTError("name a folder of CT volumes and one for the report, or ask for --get-peers alone")
    if arguments.reference is not None and arguments.output is None:
        raise CTError(f"name a folder for the report of {arguments.reference}, after it")
    kept = "what was measured is kept, and the same command goes on from there"
    return cancellable(lambda: _evaluate_folder(arguments), arguments, left_behind=kept)


def _evaluate_folder(arguments: argparse.Namespace) -> int:
    if arguments.get_peers:
        _get_peers(arguments)
    if arguments.reference is None:
        return 0
    from .evaluation.request import EvaluateRequest
    from .evaluation.run import evaluate_and_show

    request = EvaluateRequest(
        scale=arguments.scale,
        presets=arguments.preset,
        methods=arguments.methods,
        paired=arguments.paired,
        limit=arguments.limit,
        every=arguments.every,
        model=arguments.model,
        groups=arguments.scores,
        threads=arguments.threads,
    )
    print(evaluate_and_show(arguments.reference, arguments.output, request, arguments.progress))
    return 0


def _get_peers(arguments: argparse.Namespace) -> None:
    """Failures end the command only where nothing else is asked of it; else the report names what is missing."""
    with progress_display(arguments.progress, "weights of others", unit="file") as progress:
        from .evaluation.methods.download import obtain_all

        failed = obtain_all(progress, _notice)
    for sentence in failed:
        _notice(sentence)
    if failed and arguments.reference is None:
        raise CTError(f"{len(failed)} files could not be downloaded; try again when they can be reached")


def _models(arguments: argparse.Namespace) -> int:
    from .models import catalogue, models_folder

    for name, entry in catalogue()["models"].items():
        print(f"{name}: {entry['description']} Licence {entry['licence']}.")
        for scale, offer in entry["scales"].items():
            megabytes = sum((models_folder() / file["file"]).stat().st_size for file in offer["weights"].values()) / 1e6
            strengths = "low to high" if "high" in offer["weights"] else "low"
            print(f"  x{scale}  {megabytes:.1f} MB  strength {strengths}  {offer['quality']}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``ctsgan`` with ``argv``; returns the exit status: 0 done, 1 an error the user can mend."""
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except CTError as error:
        print(f"ctsgan: {error}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError):
            from .enhancement import is_out_of_memory

            if not is_out_of_memory(error):
                raise
        print("ctsgan: out of memory; close other programs, or take a smaller part of the volume", file=sys.stderr)
        return 1
