// How many columns a text takes on a terminal, and as much of it as fits: wide characters take two, combining ones none.

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
// East Asian wide and fullwidth: https://www.unicode.org/reports/tr11/
const WIDE =
  /^[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
const COLOR = /\x1b\[[\d;]*m/y

export function widthOf(text: string): number {
  let width = 0
  for (const part of partsOf(text)) width += part.width
  return width
}

/** Colours are kept to the end, so that none is left on. */
export function cutTo(text: string, columnCount: number): string {
  let kept = ''
  let left = columnCount
  for (const { text: part, width } of partsOf(text)) {
    if (width > left) left = 0
    else {
      kept += part
      left -= width
    }
  }
  return kept
}

interface Part {
  readonly text: string
  readonly width: number
}

function* partsOf(text: string): Generator<Part> {
  for (let at = 0; at < text.length; ) {
    COLOR.lastIndex = at
    const color = COLOR.exec(text)?.[0]
    if (color !== undefined) {
      yield { text: color, width: 0 }
      at += color.length
      continue
    }
    const next = text.indexOf('\x1b', at + 1)
    const end = next < 0 ? text.length : next
    for (const { segment } of GRAPHEMES.segment(text.slice(at, end)))
      yield { text: segment, width: graphemeWidth(segment) }
    at = end
  }
}

function graphemeWidth(grapheme: string): number {
  if (/^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u.test(grapheme)) return 0
  return WIDE.test(grapheme) || /\p{Emoji_Presentation}|\ufe0f/u.test(grapheme) ? 2 : 1
}
