"""Doing what a reader does to a figure, and seeing whether its data changed."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page

# What is drawn, figure by figure: numbers, what is visible, kinds of axes; no pixels, no colours of the page.
SHOWN = """area => {
    const plain = (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value;
    const traces = node => node._fullData.map(
        ({ x, y, z, text, source, visible }) => ({ x, y, z, text, source, visible }));
    const axes = ({ _fullLayout: all }) =>
        Object.keys(all).filter(key => /^[xy]axis/.test(key)).map(key => all[key].type);
    const say = node => JSON.stringify([traces(node), axes(node), node._fullLayout.title?.text], plain);
    const figures = [area, ...area.querySelectorAll("div")].filter(node => node._fullData && node.clientWidth);
    return Object.fromEntries(figures.map(node => [node.id, say(node)]));
}"""


def shown(area: Locator) -> dict[str, str]:
    """The data of each figure that is seen in ``area``, by its id."""
    found: dict[str, str] = area.evaluate(SHOWN)
    return found


def wait_for_change(area: Locator, before: dict[str, str], every: bool = False) -> dict[str, str]:
    """Wait until some figure of ``area`` (``every`` figure) shows other data than ``before``; return what it shows."""
    assert before, "no figure here"
    area.page.wait_for_function(
        f"""([area, before, every]) => {{
            const now = ({SHOWN})(area);
            const changed = Object.keys(before).map(name => now[name] !== before[name]);
            return every ? changed.every(Boolean) : changed.some(Boolean);
        }}""",
        arg=[area.element_handle(), before, every],
    )
    return shown(area)


def settled(area: Locator) -> dict[str, str]:
    """What ``area`` shows once two looks in a row see the same: while it is drawn anew, a click may miss what moves."""
    now: dict[str, str] = {}
    while (seen := shown(area)) != now:
        now = seen
        area.page.wait_for_timeout(300)
    return now


def press(handle: Locator) -> None:
    """Move a slider by one step with the keyboard: up, at its end down."""
    handle.focus()
    at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    handle.page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")


def drag(handle: Locator, to: float) -> None:
    """Take a slider's handle with the mouse and let it go at ``to``, from 0 (its start) to 1 (its end)."""
    centre(handle)
    rail = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]").bounding_box()
    held = handle.bounding_box()
    assert rail and held
    mouse = handle.page.mouse
    mouse.move(held["x"] + held["width"] / 2, held["y"] + held["height"] / 2)
    mouse.down()
    for part in (0.5, 1.0):
        start = held["x"] + held["width"] / 2
        end = rail["x"] + to * rail["width"]
        mouse.move(start + part * (end - start), held["y"] + held["height"] / 2)
    mouse.up()


def centre(element: Locator) -> None:
    """Scroll ``element`` to the middle of the window, clear of the page's header."""
    element.evaluate("node => node.scrollIntoView({ block: 'center', behavior: 'instant' })")


def click(element: Locator, across: float = 0.5) -> None:
    """Click where ``element`` is drawn, ``across`` of its width in; parts of an SVG often cover each other."""
    centre(element)
    box = element.bounding_box()
    assert box
    element.page.mouse.click(box["x"] + across * box["width"], box["y"] + box["height"] / 2)


def figures_with(page: Page, part: str) -> list[Locator]:
    """The figures that are seen and hold ``part``, a selector."""
    names: list[str] = page.evaluate(
        "part => [...document.querySelectorAll('.js-plotly-plot')]"
        ".filter(n => n.clientWidth && n.querySelector(part)).map(n => n.id)",
        part,
    )
    return [page.locator(f"#{name}") for name in names]


def areas(page: Page, outputs: str) -> list[Locator]:
    """Those of ``outputs``, a selector, with a menu or a slider; each gets a mark, since its place may change.

    A menu takes one figure away before it draws the next: told by what it holds, an output is another for a moment.
    """
    count: int = page.evaluate(
        """outputs => {
            const found = [...document.querySelectorAll(outputs)]
                .filter(output => output.querySelector("select, .noUi-handle"));
            found.forEach((output, place) => { output.dataset.place = place; });
            return found.length;
        }""",
        outputs,
    )
    return [page.locator(f'[data-place="{place}"]') for place in range(count)]


def choose(area: Locator) -> None:
    """Take the second entry of each menu of ``area`` and go back; other figures, or other data, must be seen."""
    for menu in area.locator("select:visible").all():
        for entry in (1, 0):
            before = settled(area)
            menu.select_option(index=entry)
            area.page.wait_for_function(
                f"""([area, before]) => {{
                    const now = JSON.stringify(({SHOWN})(area));
                    return now !== "{{}}" && now !== JSON.stringify(before);
                }}""",
                arg=[area.element_handle(), before],
            )


def move(area: Locator) -> None:
    """Move each slider of ``area`` by keyboard and by drag, then press play; each time its figures must change."""
    before = shown(area)
    for handle in area.locator(".noUi-handle:visible").all():
        press(handle)
        before = wait_for_change(area, before)
        at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
        # To its start at last: played from its end, a slider of two steps is back there before a slow page is drawn.
        for end in (0, 1, 0) if at_end else (1, 0):
            drag(handle, to=end)
            before = wait_for_change(area, before)
    play = area.locator(".widget-play button:visible").first
    if not play.count():
        return
    before = settled(area)
    play.click()
    wait_for_change(area, before)
    play.click()


def click_through(page: Page, part: str, *steps: Callable[[Locator], None]) -> None:
    """Take ``steps`` in each figure that holds ``part``; each figure must change."""
    for figure in figures_with(page, part):
        before = shown(figure)
        for step in steps:
            step(figure)
        wait_for_change(figure, before)


def use_controls(page: Page) -> None:
    """Take each control that Plotly draws in each figure of ``page``: sliders, menus, legends."""
    rail = ".slider-rail-touch-rect"
    click_through(page, rail, lambda figure: click(figure.locator(rail), across=0.98))  # no slider opens at its end
    click_through(
        page,
        ".updatemenu-header",
        lambda figure: click(figure.locator(".updatemenu-header").first),
        lambda figure: click(figure.locator(".updatemenu-dropdown-button").last),
    )
    click_through(page, ".legendtoggle", lambda figure: click(figure.locator(".legendtoggle").first))
