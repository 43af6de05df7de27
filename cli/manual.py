"""The part of `--help` below the options: notes, examples and exit codes of every command."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click

CODES = {
    0: "all went well",
    1: "another failure",
    2: "wrong usage; nothing was done",
    3: "an input cannot be read or is of a kind that is not coded",
    4: "an output exists already or cannot be written",
    5: "a compressed file is damaged, cut off, not ours or of an unknown version",
    6: "a model is missing or cannot be used",
    7: "the result did not decode to the same pixels; nothing was written",
    8: "the coder ran out of bits (a fault of ours)",
    9: "a dask cluster (`--dask`) cannot be reached or cannot do the work",
    10: "memory or threads were short; nothing was written",
    11: "an archive was written without some images, which are named with the reason",
    129: "ended by SIGHUP",
    130: "interrupted",
    143: "ended by SIGTERM",
}
ALWAYS = (0, 1, 2, 10, 129, 130, 143)


class Page(NamedTuple):
    """The end of a command's help.

    examples: pairs of a command line and its effect. exits: exit codes besides ALWAYS. notes:
    paragraphs.
    """

    examples: tuple[tuple[str, str], ...]
    exits: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


SEVERAL = "Files after a failing one are still done; the exit code is that of the first failure."
UNREAD = "Images that cannot be read are named and passed over, and the exit code is then 3."
PATH = (
    "A model is looked for by name or id in the folders of the environment variable "
    "BBANS_MODEL_PATH, then in your own folder "
    "(`bbans models add`), then among the shipped ones."
)

PAGES = {
    "": Page(
        (
            ("bbans compress photo.png", "photo.bbans beside it"),
            ("bbans decompress photo.bbans", "photo.png again, the same pixels"),
            ("bbans info photo.bbans", "what each part of the file costs"),
            ("bbans bench *.png", "beside PNG, WebP and JPEG XL"),
            ("bbans train my-images/ -o mine.safetensors", "a codec for images of one kind"),
            ("bbans compress --help", "the options of one command"),
        ),
        (3, 4, 5, 6, 7, 8, 9, 11),
        (PATH,),
    ),
    "compress": Page(
        (
            ("bbans compress photo.png", "photo.bbans beside it"),
            ("bbans compress *.png -o small/", "many files, into a directory"),
            ("bbans compress photo.jpg", "a JPEG, which comes back byte for byte"),
            ("bbans compress --keep-suffix a.png a.tif", "a.png.bbans and a.tif.bbans"),
            ("bbans compress stack.tif", "all pages, into one file"),
            ("bbans compress --effort fast photo.png", "a small model: twice as fast"),
            ("bbans compress --model mine.safetensors photo.png", "a model of your own"),
            ("bbans compress --model none photo.png", "larger; needs no model, now or later"),
            ("bbans compress -c photo.png | bbans decompress - > same.png", "through a pipe"),
            ("bbans compress <(convert a.psd png:-) -o a.bbans", "what a command prints"),
            (
                "bbans compress --dask tcp://host:8786 *.png -o small/",
                "on a cluster; the same files",
            ),
        ),
        (3, 4, 6, 7, 8, 9),
        (SEVERAL, PATH),
    ),
    "decompress": Page(
        (
            ("bbans decompress photo.bbans", "photo.png beside it"),
            ("bbans decompress photo.bbans -o photo.tiff", "as another kind of file"),
            ("bbans decompress --format png photo.bbans", "the pixels of a JPEG"),
            ("bbans decompress stack.bbans", "stack.tif, stack.npy or stack.pnm, as it was"),
            (
                "bbans decompress --region 0,0,640,480 photo.bbans",
                "a corner; only its tiles are decoded",
            ),
            ("bbans decompress --preview 3 photo.bbans", "every 8th row and column"),
            ("bbans decompress --keep-going broken.bbans", "what damage leaves of it"),
        ),
        (3, 4, 5, 6),
        (SEVERAL, PATH),
    ),
    "info": Page(
        (
            ("bbans info photo.bbans", "what the header says, at once"),
            ("bbans info --json photo.bbans", "for programs"),
            ("bbans info --account photo.bbans", "ideal, net, total, and every term of them"),
            (
                "bbans info --heatmap bits.png --plot photo.bbans",
                "where in the image, and in which level, the bits are",
            ),
        ),
        (3, 4, 5, 6),
        (
            "Ideal is the model's -ELBO, net what the coder's message grew by, total the file. "
            "The file is decoded to know them (--account).",
            "In a heat map every pixel has the bits of its own samples, exactly, and an even "
            "share of the net bits of the latents that "
            "stand for its part of the image. What another library coded is spread evenly over "
            "its tile.",
            SEVERAL,
        ),
    ),
    "verify": Page(
        (
            ("bbans verify photo.bbans", "decode, check, write nothing"),
            ("bbans verify -q backup/*.bbans && echo good", "in a script"),
        ),
        (3, 5, 6),
        (SEVERAL,),
    ),
    "bench": Page(
        (
            ("bbans bench *.png", "a table over all of them"),
            (
                "bbans bench -v --effort fast a.png b.png",
                "the small model, and a table for each image",
            ),
            ("bbans bench --jpegxl-effort 9 --json photo.png", "for programs"),
        ),
        (3, 6, 7, 8),
        (SEVERAL,),
    ),
    "train": Page(
        (
            (
                "bbans train my-images/ -o mine.safetensors",
                "what suits the images, with its own recipe",
            ),
            (
                "bbans train digits.npy -o mine.safetensors --shape 28x28",
                "rows of an array as images",
            ),
            (
                "bbans train photos/ -o mine.safetensors --recipe photo.toml --device cuda",
                "your own settings, on a GPU",
            ),
            (
                "bbans train my-images/ -o mine.safetensors --tensorboard logs",
                "with curves to look at",
            ),
        ),
        (3, 4, 6),
        ("A broken run goes on where its checkpoint was when the same command is given again.",),
    ),
    "evaluate": Page(
        (
            ("bbans evaluate --model mine.safetensors more-images/", "ideal, net and total"),
            (
                "bbans evaluate --model mine.safetensors test.npy --count 1000 --csv each.csv",
                "a line an image",
            ),
            (
                "bbans evaluate more-photos/ --report photos.html",
                "a page with heat maps, the best and the worst images",
            ),
            (
                "bbans evaluate --model mine.safetensors test.npy --importance 500",
                "nearer to -log2 p(x)",
            ),
            (
                "bbans evaluate --model mine.safetensors test.npy --scheme bb-cis --particles 16",
                "another bound",
            ),
        ),
        (3, 4, 6, 8),
        (UNREAD,),
    ),
    "sample": Page(
        (("bbans sample --model mine.safetensors -n 64 -o samples.png", "8 rows of 8"),), (3, 4, 6)
    ),
    "reconstruct": Page(
        (("bbans reconstruct --model mine.safetensors more-images/ -n 8 -o back.png", "8 pairs"),),
        (3, 4, 6),
        (UNREAD,),
    ),
    "interpolate": Page(
        (
            (
                "bbans interpolate --model mine.safetensors more-images/ --between 3 7 --steps 12 "
                "-o path.png",
                "12 pictures",
            ),
        ),
        (3, 4, 6),
        (UNREAD,),
    ),
    "archive": Page(
        (
            (
                "bbans archive create icons/ -o icons.bbar --model mine.safetensors",
                "many images in one file",
            ),
            ("bbans archive list icons.bbar", "their names"),
            ("bbans archive extract icons.bbar -o back/", "all of them again"),
        ),
        (3, 4, 5, 6, 7, 8, 11),
        (PATH,),
    ),
    "archive create": Page(
        (
            (
                "bbans archive create icons/ -o icons.bbar --model mine.safetensors",
                "a model of these images",
            ),
            (
                "bbans archive create digits.npy -o digits.bbar --model mine.safetensors --shape "
                "28x28",
                "rows of an array",
            ),
            (
                "bbans archive create photos/ more.png -o photos.bbar",
                "photographs, coded one by one",
            ),
            (
                "bbans archive create icons/ -o icons.bbar --model mine.safetensors --unordered "
                "--embed-model",
                "smaller; needs nothing else",
            ),
            (
                "bbans archive create photos/ -o photos.bbar --strict && rm -r photos/",
                "nothing is removed unless every file is in the archive",
            ),
        ),
        (3, 4, 6, 7, 8, 9, 11),
        (
            "What cannot be taken is left out and named with the reason: damaged images, kinds "
            "that are not read, names with a backslash or a control character. If images are among "
            "it the exit code is 11. Files that are no images change no exit code. --strict reads "
            "all files first, and ends at the first that cannot be taken, be it an image or not.",
        ),
    ),
    "archive list": Page((("bbans archive list -v icons.bbar", "names, sides, groups"),), (3, 5)),
    "archive extract": Page(
        (
            ("bbans archive extract icons.bbar -o back/", "all images"),
            ("bbans archive extract icons.bbar one.png two.png", "two of them, to this folder"),
            ("bbans archive extract --keep-going broken.bbar -o back/", "what damage leaves"),
        ),
        (3, 4, 5, 6),
    ),
    "models": Page((("bbans models list", "what is at hand"),), (4, 6), (PATH,)),
    "models list": Page((("bbans models list --json", "an object a line"),), ()),
    "models show": Page((("bbans models show photo-2", "its id, config and record"),), (6,)),
    "models add": Page(
        (("bbans models add mine.safetensors", "files made with it now find it"),), (4, 6)
    ),
    "completion": Page(
        (
            (
                "bbans completion bash > ~/.local/share/bash-completion/completions/bbans",
                "for bash 4.4 or newer",
            ),
            ("bbans completion zsh > ~/.zfunc/_bbans", "for zsh; ~/.zfunc has to be on its fpath"),
            ("bbans completion fish > ~/.config/fish/completions/bbans.fish", "for fish"),
        ),
    ),
}


def commands_below(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all its subcommands, each with its path such as "archive list".

    Examples:
        >>> root = click.Group("bbans", {"info": click.Command("info")})
        >>> [path for path, command in commands_below(root)]
        ['', 'info']
    """
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands_below(child, f"{path} {name}".strip())


def attach(root: click.Command) -> None:
    """Append to every command's help its page.

    Under `python -OO`, which drops docstrings, the help itself is read from the source.
    """
    for path, command in commands_below(root):
        command.epilog = epilog(PAGES[path])
        if command.help is None and command.callback is not None:
            command.help = written_docstring(command.callback)


def written_docstring(function: Callable[..., object]) -> str | None:
    """Return the docstring of a function as written in its source, or None without a source.

    Examples:
        >>> written_docstring(commands_below).startswith("Yield a command")
        True
    """
    function = inspect.unwrap(function)
    try:
        tree = ast.parse(Path(inspect.getfile(function)).read_text(encoding="utf-8"))
    except (OSError, TypeError, SyntaxError):
        return None
    definitions = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__
    )
    return next((text for node in definitions if (text := ast.get_docstring(node))), None)


def epilog(page: Page) -> str:
    """Return a page as text for click, which keeps the lines of paragraphs that begin with \\b.

    Examples:
        >>> "bbans info a.bbans" in epilog(Page((("bbans info a.bbans", "its cost"),), exits=(3,)))
        True
    """
    examples = "\n".join(f"  {line}\n      {effect}" for line, effect in page.examples)
    codes = "\n".join(f"  {code:3}  {CODES[code]}" for code in sorted({*ALWAYS, *page.exits}))
    return "\n\n".join([*page.notes, f"\b\nExamples:\n{examples}", f"\b\nExit codes:\n{codes}"])
