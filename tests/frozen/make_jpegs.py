"""Make the golden files of JPEGs that are not there yet; see `tests/frozen/make.py`.

python tests/frozen/make_jpegs.py
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

import bbans
from tests.jpegs import ARITHMETIC, encoded, exif, profile

HERE = Path(__file__).resolve().parent / "jpegs"
SAMPLE = HERE.parent.parent.parent / "samples" / "tea-gardens.png"


def sources() -> dict[str, bytes]:
    """JPEGs that are transcoded, with pieces set aside and an end added; by LZMA; and stored."""
    with Image.open(SAMPLE) as opened:
        photo = np.asarray(opened.convert("RGB"))[200:360, 100:324]
    return {
        "baseline": encoded(
            photo, quality=80, exif=exif(), icc_profile=profile(), comment=b"golden"
        )
        + b"bytes after the end",
        "grey": encoded(photo[..., 1], quality=95, progressive=True)[:-1],
        "cmyk": encoded(photo[:64, :64], mode="CMYK", quality=70),
        "arithmetic": ARITHMETIC,
    }


def main() -> None:
    """Write the files, and the hashes of files and JPEGs."""
    listed = HERE / "hashes.json"
    hashes = json.loads(listed.read_text()) if listed.exists() else {}
    for name, source in sources().items():
        if (HERE / f"{name}.bbans").exists():
            continue
        data = bbans.compress_jpeg(source)
        (HERE / f"{name}.bbans").write_bytes(data)
        hashes[name] = {
            "jpeg": hashlib.sha256(source).hexdigest(),
            "file": hashlib.sha256(data).hexdigest(),
            "method": bbans.info(data).jpeg.method,
        }
    listed.write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
