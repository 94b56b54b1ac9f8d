"""A department's .xlsx: values exactly as the cells hold them, merged cells filled down, one table of texts.

Belongs here: cells → texts. Must not: the package's safety (`_xlsx`), what is data (`grid`), meaning.
"""

from __future__ import annotations

import io

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from zz_pipeline.errors import SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources._xlsx import CELLS, Marks, Package, open_package, sheet_marks
from zz_pipeline.sources.base import exact_text
from zz_pipeline.sources.grid import Found, Grid, find_header, read_grid


def read_workbook(dept: Department, name: str, content: bytes) -> Found:
    """Data rows of the declared or first visible sheet; SourceRefused with the reason in Chinese."""
    package = open_package(content)
    try:
        return _read(dept, name, package)
    except CalamineError as error:
        raise SourceRefused(f"工作簿读不出来（{error}）。请用 Excel 打开核对，另存后重交。") from error
    except BaseException as error:
        # a panic inside the reader derives from BaseException, and would end the whole night for one bad file
        if type(error).__name__ != "PanicException":
            raise
        raise SourceRefused("工作簿内部前后矛盾，读不出来。请用 Excel 打开核对，另存后重交。") from error


def _read(dept: Department, name: str, package: Package) -> Found:
    book = CalamineWorkbook.from_filelike(io.BytesIO(package.content))
    visible = [s.name for s in book.sheets_metadata if s.visible == SheetVisibleEnum.Visible]
    sheet = _choose(dept, visible)
    grid = _grid(dept, book, sheet, sheet_marks(package, sheet))
    header = find_header(dept, grid)
    if header is None:
        raise SourceRefused(f"工作表“{sheet}”的前 30 行里找不到表头。请核对是否交错了表，或表样已改而未登记。")
    found = read_grid(dept, grid, header, name)
    found.warnings += _other_sheets(dept, book, name, [s for s in visible if s != sheet])
    return found


def _choose(dept: Department, visible: list[str]) -> str:
    wanted = dept.source.sheet
    if wanted and wanted not in visible:
        raise SourceRefused(f"没有名为“{wanted}”的工作表（现有：{'、'.join(visible)}）。请按原表样改回表名后重交。")
    if not visible:
        raise SourceRefused("工作簿里没有可见的工作表。请取消隐藏后重交。")
    return wanted or visible[0]


def _other_sheets(dept: Department, book: CalamineWorkbook, name: str, others: list[str]) -> list[str]:
    """A warning for each further sheet that holds the same table: it was not read."""
    warnings = []
    for sheet in others:
        head = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False, nrows=30)
        rows = [[exact_text(cell) for cell in row] for row in head]
        if find_header(dept, Grid(rows, range(1, len(rows) + 1), [None] * len(rows))) is not None:
            warnings.append(f"文件《{name}》的工作表“{sheet}”也是同样的表，没有读取。如有数据，请移到第一张表后重交。")
    return warnings


def _grid(dept: Department, book: CalamineWorkbook, sheet: str, marks: Marks) -> Grid:
    cells = book.get_sheet_by_name(sheet)
    rows = [[exact_text(cell) for cell in row] for row in cells.to_python(skip_empty_area=False)]
    for (row, column), text in marks.errors.items():
        if row < len(rows) and column < len(rows[row]):
            rows[row][column] = text  # the reader gives an error cell as empty; empty would be a value nobody wrote
    if dept.source.fill_merged:
        _fill_merged(rows, cells.merged_cell_ranges or [])
    return Grid(rows, range(1, len(rows) + 1), [marks.rows.get(i) for i in range(len(rows))])


def _fill_merged(rows: list[list[str | None]], ranges: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """The value of a merged cell in every row that it covers (in its first column)."""
    if sum(min(bottom, len(rows)) - top for (top, _), (bottom, _) in ranges) > CELLS:
        raise SourceRefused("工作簿里的合并单元格多得不正常。请取消合并、补齐内容后另存重交。")
    for (top, left), (bottom, _right) in ranges:
        if top < len(rows) and left < len(rows[top]):
            for row in range(top + 1, min(bottom + 1, len(rows))):
                rows[row][left] = rows[top][left]
