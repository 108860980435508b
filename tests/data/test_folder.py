"""A folder of pictures as users have them: read as a viewer shows it, or refused by name; nothing vanishes."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damaged import FUZZ, damaged, made_up
from hypothesis import given
from PIL import Image, ImageCms

from kdnb import data
from kdnb.data import folder
from kdnb.data.folder import _read_picture

SIDE = 16


def picture(mode: str = "RGB", seed: int = 0) -> Image.Image:
    pixels = np.random.RandomState(seed).randint(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes, three training and one test picture each."""
    for part, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "own" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                picture(seed=10 * label + i).save(folder / f"{i}.png")
    return tmp_path / "own"


def put(pictures: Path, file: str, **options: object) -> Image.Image:
    """A picture among the cats, last of the training split."""
    made = picture(seed=99)
    made.save(pictures / "train" / "cat" / file, **options)  # type: ignore[arg-type]
    return made


def test_pictures_are_read_and_listed_once_in_a_process_until_one_changes(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(folder, "_read_picture", lambda path: (read.append(path), _read_picture(path))[1])
    first, again = (data.load("folder", pictures, limit=limit) for limit in (None, 4))
    assert len(read) == 8 and len(again.train.labels) == 4
    assert capsys.readouterr().out.count("pictures: ") == 2  # a line for each part
    put(pictures, "0.png")
    assert data.load("folder", pictures).checksum != first.checksum and len(read) == 16


def last_cat(pictures: Path) -> np.ndarray:
    loaded = data.load("folder", pictures)
    assert loaded.class_names == ("cat", "dog") and loaded.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    return loaded.train.images[3].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("file", ["z.webp", "z.bmp", "z.TIFF", "z.PNG", "z.gif", "z.ppm", "z.jp2", "z.qoi", "z.sgi"])
def test_every_format_that_pillow_reads_by_itself_is_read(pictures: Path, file: str) -> None:
    lossless = {"lossless": True} if file.endswith("webp") else {}
    try:
        shown = put(pictures, file, **lossless)
    except (KeyError, OSError):
        pytest.skip("this Pillow does not write it")
    if file.endswith("gif"):  # 256 colours
        shown = Image.open(pictures / "train" / "cat" / file).convert("RGB")
    np.testing.assert_array_equal(last_cat(pictures), np.asarray(shown))


def test_a_picture_with_another_formats_ending_or_none_is_read(pictures: Path) -> None:
    shown = put(pictures, "z.jpg", format="PNG")
    np.testing.assert_array_equal(last_cat(pictures), np.asarray(shown))
    (pictures / "train" / "cat" / "z.jpg").rename(pictures / "train" / "cat" / "z")
    np.testing.assert_array_equal(last_cat(pictures), np.asarray(shown))


def test_pictures_at_any_depth_are_of_the_class_above_them(pictures: Path) -> None:
    deep = pictures / "train" / "cat" / "z" / "2024"
    deep.mkdir(parents=True)
    shown = put(pictures, "z/2024/0.png")
    np.testing.assert_array_equal(last_cat(pictures), np.asarray(shown))


def test_links_to_folders_and_pictures_are_followed(pictures: Path, tmp_path: Path) -> None:
    (pictures / "train" / "dog").rename(tmp_path / "elsewhere")
    (pictures / "train" / "dog").symlink_to(tmp_path / "elsewhere")
    (pictures / "train" / "cat" / "z.png").symlink_to(pictures / "test" / "cat" / "0.png")
    np.testing.assert_array_equal(last_cat(pictures), np.asarray(picture()))


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_what_is_not_transparent_anywhere_is_read(pictures: Path, mode: str) -> None:
    shown = picture(mode, seed=99)
    shown.save(pictures / "train" / "cat" / "z.png")
    np.testing.assert_array_equal(last_cat(pictures), np.asarray(shown.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_as_viewers_show_it(pictures: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = np.asarray(put(pictures, "z.png", exif=exif))
    turned = {1: shown, 2: shown[:, ::-1], 3: shown[::-1, ::-1], 4: shown[::-1]}
    turned |= {5: shown.swapaxes(0, 1), 6: np.rot90(shown, -1), 8: np.rot90(shown)}
    turned[7] = turned[5][::-1, ::-1]
    np.testing.assert_array_equal(last_cat(pictures), turned[orientation])


def test_a_profile_of_srgb_changes_nothing(pictures: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    shown = put(pictures, "z.png", icc_profile=profile)
    np.testing.assert_array_equal(last_cat(pictures), np.asarray(shown))


def test_counts_of_each_class_are_printed(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(pictures, "z.bmp")
    data.load("folder", pictures)
    said = capsys.readouterr().out
    assert f"{pictures / 'train'}: 7 pictures: cat 4, dog 3\n" in said
    assert f"{pictures / 'test'}: 2 pictures: cat 1, dog 1\n" in said and "hidden" not in said


@pytest.mark.parametrize("hidden", ["train/.ipynb_checkpoints/a.png", "train/cat/.DS_Store", "test/__MACOSX/a/0.png"])
def test_what_is_hidden_is_no_class_and_no_picture_and_is_said(
    pictures: Path, hidden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = data.load("folder", pictures).checksum
    (pictures / hidden).parent.mkdir(parents=True, exist_ok=True)
    picture().save(pictures / hidden, "PNG")
    assert data.load("folder", pictures).checksum == wanted
    named = next(
        pictures / Path(*Path(hidden).parts[:n]) for n in (2, 3) if Path(hidden).parts[n - 1].startswith((".", "_"))
    )
    assert f"hidden, and so left out: {named}" in capsys.readouterr().out


def transparent(path: Path) -> None:
    shown = picture("RGBA")
    shown.putpixel((3, 3), (255, 0, 0, 254))
    shown.save(path, "PNG")


def one_colour_transparent(path: Path) -> None:
    shown = picture()
    shown.save(path, "PNG", transparency=shown.getpixel((5, 5)))


def animated(path: Path) -> None:
    picture().save(path, "GIF", save_all=True, append_images=[picture(seed=1)])


def pages(path: Path) -> None:
    picture().save(path, "TIFF", save_all=True, append_images=[picture(seed=1)])


def wide_colours(path: Path) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    name = "sRGB built-in".encode("utf-16-be")
    at = profile.find(name)
    assert at > 0
    profile[at : at + len(name)] = "Display P3 xx".encode("utf-16-be")
    picture().save(path, "PNG", icc_profile=bytes(profile))


def bomb(path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(path, "PNG")


def bigger_bomb(path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(path, "PNG")


def cut(path: Path) -> None:
    content = io.BytesIO()
    picture().save(content, "JPEG")
    path.write_bytes(content.getvalue()[:-200])


def postscript(path: Path) -> None:
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n")


NOT_READ: dict[str, tuple[Callable[[Path], object], str]] = {
    "notes": (lambda path: path.write_text("cats"), "cannot read the picture .*no format that is read here.*remove it"),
    "a list": (lambda path: path.write_text("file,label\n"), "no format that is read here"),
    "an archive": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(40)), "no format that is read here"),
    "PostScript": (postscript, "no format that is read here"),
    "a broken link": (lambda path: path.symlink_to("nowhere"), "cannot read the picture .*No such file"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot read the picture .*symbolic link"),
    "a pipe": (os.mkfifo, "it is no regular file"),
    "cut short": (cut, "cannot read the picture .*(?i:truncated)"),
    "a bomb": (bomb, "cannot read the picture .*decompression bomb"),
    "a bigger bomb": (bigger_bomb, "cannot read the picture .*decompression bomb"),
    "a transparent pixel": (transparent, "is stored as RGBA; convert it .* without transparency"),
    "a transparent colour": (one_colour_transparent, "is stored as RGB; convert it .* without transparency"),
    "print colours": (lambda path: picture("CMYK").save(path, "JPEG"), "is stored as CMYK; convert it"),
    "16 bits": (lambda path: Image.new("I;16", (16, 16)).save(path, "PNG"), "is stored as I;16; convert it"),
    "numbers": (lambda path: Image.new("F", (16, 16)).save(path, "TIFF"), "is stored as F; convert it"),
    "Lab": (lambda path: picture().convert("YCbCr").save(path, "TIFF"), "is stored as YCbCr; convert it"),
    "animated": (animated, "has 2 frames or pages"),
    "pages": (pages, "has 2 frames or pages"),
    "another profile": (wide_colours, "colours in the profile 'Display P3 xx'; convert it to sRGB"),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_cannot_be_read_as_it_is_shown_is_refused_by_name(pictures: Path, name: str) -> None:
    make, said = NOT_READ[name]
    make(pictures / "train" / "dog" / "odd.png")
    with pytest.raises(ValueError, match=r"dog/odd\.png.*") as refusal:
        data.load("folder", pictures)
    assert refusal.match(said)


def test_all_that_cannot_be_read_is_counted(pictures: Path) -> None:
    for i in range(9):
        (pictures / "train" / "dog" / f"odd{i}.txt").write_text("?")
    with pytest.raises(ValueError, match=r"odd0\.txt.*So it is with .*odd1\.txt, .*odd5\.txt and 3 more"):
        data.load("folder", pictures)


def without_folder(pictures: Path) -> None:
    shutil.rmtree(pictures / "test")
    (pictures / "test").write_text("a file")


def loop(pictures: Path) -> None:
    (pictures / "train" / "cat" / "more").symlink_to(pictures / "train" / "cat")


def longer_loop(pictures: Path) -> None:
    (pictures / "train" / "cat" / "a" / "b").mkdir(parents=True)
    (pictures / "train" / "cat" / "a" / "b" / "c").symlink_to(pictures / "train" / "cat" / "a")


MISPLACED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a picture beside the classes": (
        lambda own: picture().save(own / "train" / "a.png"),
        r"train/a\.png beside the class",
    ),
    "a list beside the classes": (
        lambda own: (own / "test" / "labels.csv").write_text(""),
        r"labels\.csv beside the class",
    ),
    "a file for a folder": (without_folder, "test is a file; pictures are expected in"),
    "a link to a folder above": (loop, "cat/more is a link to a folder that holds it"),
    "a longer loop": (longer_loop, "a/b/c is a link to a folder that holds it"),
    "an empty class": (
        lambda own: [(own / part / "emu").mkdir() for part in ("train", "test")],
        "'emu' has no picture",
    ),
    "another case": (lambda own: (own / "test" / "dog").rename(own / "test" / "Dog"), "'Dog' has no .*It has 'dog'"),
    "a name that is no text": (
        lambda own: os.mkdir(os.fsencode(own / "train") + b"/caf\xe9"),
        "cannot be shown as text",
    ),
}


@pytest.mark.parametrize("name", MISPLACED)
def test_what_lies_where_nothing_is_read_is_refused(pictures: Path, name: str) -> None:
    make, said = MISPLACED[name]
    make(pictures)
    with pytest.raises(ValueError, match=said):
        data.load("folder", pictures)


def test_a_class_whose_name_is_coded_in_two_ways_is_one(pictures: Path) -> None:
    """An e with its accent in one character, as on Linux, or in two, as on macOS."""
    (pictures / "train" / "dog").rename(pictures / "train" / "café")
    (pictures / "test" / "dog").rename(pictures / "test" / "cafe\u0301")
    assert data.load("folder", pictures).class_names == ("café", "cat")


HEADS = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\x00", b"RIFF", b"P6\n", b"qoif"]


def whole(kind: str) -> bytes:
    """A picture in a format, turned where it can say so."""
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    picture().save(content, kind, **({"exif": exif} if kind in ("PNG", "JPEG", "WEBP", "TIFF") else {}))
    return content.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged EXIF
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "SGI", "JPEG2000", "random"])
def test_damaged_pictures_end_in_our_own_errors(kind: str, tmp_path: Path) -> None:
    """Refused by name, or read as a picture."""
    path = tmp_path / "z.png"

    @FUZZ
    @given(made_up(HEADS) if kind == "random" else damaged(whole(kind)))
    def read_or_refused(content: bytes) -> None:
        path.write_bytes(content)
        try:
            pixels = _read_picture(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)

    read_or_refused()


def test_pictures_beside_the_name_of_another_data_set_are_not_passed_over(pictures: Path) -> None:
    with pytest.raises(ValueError, match="holds train/ and test/ .* and dataset is digits: say dataset='folder'"):
        data.load("digits", pictures)
