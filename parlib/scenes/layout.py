"""Where does everything stand? Seats, shelf, pass and counter, once for a wide page and once for a narrow one.

    wide     order shelf │ seats …………… │ counter        960 × 400
    narrow   order shelf and counter above, seats below  480 × 560

A place is [x, y, scale]; y is the floor under it. Figures get as large as there is room for. The layout does not know
what happens when.
"""

from __future__ import annotations

from typing import Any

__all__ = ["CAPACITY", "PASS", "view"]

CAPACITY = 24  # trays that a shelf and a counter hold: six boards of four
BOARDS = [0.0, -48.0, -90.0, -132.0, -174.0, -216.0]  # heights, the lowest first
PASS = 6  # trays that a pass holds: three boards of two
CELL = 124, 172  # width and height that a figure at scale 1 takes, with a little air

Place = list[float]
Area = tuple[float, float, float, float]  # left, top, right, bottom


def view(narrow: bool, seats: int, stations: Any = (), trays: int = CAPACITY) -> dict[str, Any]:
    """All places for so many seats; `stations` get their seats side by side, each with a pass before it.

    The shelf and the counter hold `trays` if they can, and the fewer there are, the larger.
    """
    wide = {"width": 960, "height": 400, "floor": 196, "shelf": [86, 386, 1.0], "counter": [874, 386, 1.0]}
    slim = {"width": 480, "height": 600, "floor": 150, "shelf": [76, 236, 0.68], "counter": [404, 236, 0.68]}
    shape: dict[str, Any] = slim if narrow else wide
    area = (6.0, 262.0, 474.0, 592.0) if narrow else (176.0, 34.0, 784.0, 390.0)
    columns = min(max(-(-trays // len(BOARDS)), 2), 4)
    width, size = 124 / columns, {2: 0.8, 3: 0.57, 4: 0.44}[columns]
    shape["ordered"] = slots(shape["shelf"], columns, width, BOARDS, size)
    shape["boxed"] = slots(shape["counter"], columns, width, BOARDS, size)
    if stations:
        shape |= _kitchen(stations, area, narrow) | {"decor": _pots(stations, area, narrow)}
    else:
        shape |= {"seats": grid(seats, area), "passes": [], "signs": [], "decor": _decor(narrow, seats)}
    highest = min((y - 70 * size for _, y, size in shape["seats"]), default=shape["floor"])
    return shape | {"floor": _r(max(min(shape["floor"], highest), 70))}  # nobody stands on the wall


def slots(furniture: Place, columns: int, width: float, boards: list[float], size: float) -> list[Place]:
    """The places on the boards of a shelf, the top board first."""
    x, y, scale = furniture
    across = [_r(x + (column - (columns - 1) / 2) * width * scale) for column in range(columns)]
    heights = [_r(y + (board - 6 * (board == 0)) * scale) for board in reversed(boards)]
    return [[left, foot, round(size * scale, 3)] for foot in heights for left in across]


def grid(count: int, area: Area, most: float = 1.5, row: float = 9.0) -> list[Place]:
    """`count` places in rows, as large as fits; all in one row where figures are still as large as `row` then.

    >>> grid(2, (0, 0, 248, 172))
    [[62.0, 172.0, 1.0], [186.0, 172.0, 1.0]]
    """
    left, top, right, bottom = area

    def size(rows: int) -> float:
        return min((right - left) / max(-(-count // rows), 1) / CELL[0], (bottom - top) / rows / CELL[1], most)

    rows = max(range(1, count + 1), key=size, default=1) if not count or size(1) < row else 1
    columns = -(-count // rows)
    width, height, scale = (right - left) / max(columns, 1), (bottom - top) / rows, round(size(rows), 3)
    places = []
    for number in range(count):
        line, column = divmod(number, columns)
        alone = min(columns, count - line * columns)  # a last row that is not full stands in the middle
        shift = (columns - alone) * width / 2
        places.append([_r(left + shift + (column + 0.5) * width), _r(top + (line + 1) * height), scale])
    return places


def _kitchen(stations: list[dict[str, Any]], area: Area, narrow: bool) -> dict[str, Any]:
    """Stations by how far they are from the start: columns on a wide page, rows on a narrow one."""
    levels = [[n for n, one in enumerate(stations) if one["level"] == level] for level in range(_levels(stations))]
    seats: dict[int, Place] = {}
    passes, signs = [[0.0, 0.0, 0.0]] * len(stations), [[0.0, 0.0, 0.0]] * len(stations)
    for level, members in enumerate(levels):
        for place, number in enumerate(members):
            cell = _cell(area, level, len(levels), place, len(members), narrow)
            passes[number], signs[number], found = _station(cell, stations[number], narrow)
            seats |= {stations[number]["first"] + seat: spot for seat, spot in enumerate(found)}
    shelves = [_waiting(shelf, stations[number]["room"]) for number, shelf in enumerate(passes)]
    return {"seats": [seats[n] for n in range(len(seats))], "passes": passes, "signs": signs, "waiting": shelves}


def _waiting(shelf: Place, trays: int) -> list[Place]:
    """The places on a pass, the lowest board first: large ones if few trays wait."""
    columns, width, size = (1, 0, 0.8) if trays <= 3 else (2, 30, 0.44)
    return slots(shelf, columns, width, BOARDS[:3], size)[::-1]


def _levels(stations: list[dict[str, Any]]) -> int:
    return 1 + max(one["level"] for one in stations)


def _cell(area: Area, level: int, levels: int, place: int, members: int, narrow: bool) -> Area:
    left, top, right, bottom = area
    if narrow:
        wide, high = (right - left) / members, (bottom - top) / levels
        return left + place * wide, top + level * high, left + (place + 1) * wide, top + (level + 1) * high
    wide, high = (right - left) / levels, (bottom - top) / members
    return left + level * wide, top + place * high, left + (level + 1) * wide, top + (place + 1) * high


def _station(cell: Area, station: dict[str, Any], narrow: bool) -> tuple[Place, Place, list[Place]]:
    """A pass on the left if anything can wait there, the seats, and a sign: on the stove, above, or beside it."""
    left, top, right, bottom = cell
    scale = round(min(1.0, (bottom - top) / 190, (right - left) / 230), 3)
    before, alone = 96 * scale if station["level"] else 0, station["seats"] < 2
    room = (left + before, top + 30 * (not alone and not narrow), right - 4 - 100 * narrow, bottom - 2)
    found = grid(max(station["seats"], 1), room, 1.25, 0.5)
    (_, foot, size), middle = found[0], sum(x for x, *_ in found) / len(found)
    sign = [middle, foot - 21 * size + 7, min(1.0, size)]
    if not alone:
        sign = [middle, max(foot - 168 * size - 14, top + 16), 1.0]
    if narrow:
        sign = [found[-1][0] + 62 * found[-1][2] + 48, found[-1][1] - 20 * size, 0.9]
    shelf = [_r(left + max(46 * scale, 54 * narrow)), _r(bottom - 4), scale if station["level"] else 0.0]
    return shelf, [_r(sign[0]), _r(sign[1]), round(sign[2], 2)], found[: station["seats"]]


def _decor(narrow: bool, seats: int) -> list[list[Any]]:
    """What hangs on the wall, where nobody stands in front of it."""
    if narrow:
        return [["window", 240, 84, 0.8], ["lamp", 160, -8, 0.6], ["lamp", 320, -8, 0.6]]
    if seats <= 5:
        return [["window", 262, 82, 0.92], ["jars", 640, 100, 1.0], ["lamp", 378, -6, 0.8], ["lamp", 532, -6, 0.8]]
    return [["lamp", 300, -10, 0.6], ["lamp", 480, -10, 0.6], ["lamp", 660, -10, 0.6]]


def _pots(stations: list[dict[str, Any]], area: Area, narrow: bool) -> list[list[Any]]:
    """Pots on the wall over each column of the kitchen that has only one row."""
    if narrow:
        return [["pots", 240, 60, 0.8]]
    levels = [one["level"] for one in stations]
    wide = (area[2] - area[0]) / (max(levels) + 1)
    free = [level for level in set(levels) if levels.count(level) == 1]
    return [["pots", _r(area[0] + (level + 0.5) * wide), 26, round(min(1.0, wide / 190), 2)] for level in free]


def _r(number: float) -> float:
    return round(number, 1)
