import cv2

from vision.train.sheet import main


def test_a_sheet_is_written_for_looking(book_folder, tmp_path):
    out = tmp_path / "sheet.png"
    asked = ["--data", str(book_folder), "--out", str(out), "--count", "6"]
    assert main([*asked, "--columns", "3", "--before"]) == 0
    image = cv2.imread(str(out))
    assert image.shape == (2 * (192 + 14), 3 * 512, 3)


def test_one_kind_is_drawn_by_its_name(book_folder, tmp_path):
    out = tmp_path / "sheet.png"
    asked = ["--data", str(book_folder), "--out", str(out), "--kind", "real-smoke"]
    assert main([*asked, "--count", "2", "--columns", "2", "--plain"]) == 0
    assert cv2.imread(str(out)).shape == (192 + 14, 512, 3)
