"""Small line charts as one SVG, for the report: cost over what was varied."""

WIDTH, HEIGHT, MARGIN = 360, 200, 44
STYLE = ('<style>text{font:11px sans-serif;fill:#333}.title{font-weight:bold}.axis{stroke:#999}'
         '.curve{fill:none;stroke:#1f77b4;stroke-width:2}.point{fill:#1f77b4}</style>')


def svg(tables):
    """One panel a table, two in a row."""
    panels = [panel(table, 10 + index % 2 * (WIDTH + 20), 10 + index // 2 * (HEIGHT + 20))
              for index, table in enumerate(tables)]
    height = 20 + (len(tables) + 1) // 2 * (HEIGHT + 20)
    size = f'width="{2 * WIDTH + 40}" height="{height}" viewBox="0 0 {2 * WIDTH + 40} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{STYLE}{"".join(panels)}</svg>\n'


def panel(table, left, top):
    points = table.drawn_points()
    most = max(value for _, value in points) or 1
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    place = [(MARGIN + wide * index / max(1, len(points) - 1), HEIGHT - MARGIN - high * value / most)
             for index, (_, value) in enumerate(points)]
    parts = [f'<text class="title" x="{MARGIN}" y="16">{table.title}: {table.drawn}</text>',
             f'<line class="axis" x1="{MARGIN}" y1="{HEIGHT - MARGIN}" x2="{WIDTH - MARGIN}" y2="{HEIGHT - MARGIN}"/>',
             f'<line class="axis" x1="{MARGIN}" y1="{MARGIN}" x2="{MARGIN}" y2="{HEIGHT - MARGIN}"/>',
             '<polyline class="curve" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in place) + '"/>']
    for (x, y), (label, value) in zip(place, points):
        parts.append(f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{value:.2f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{table.axis}</text>')
    return f'<g transform="translate({left},{top})">{"".join(parts)}</g>'
