import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Screen } from '../../scripts/record-terminal-screen.ts'
import { renderTerminal } from '../../scripts/record-terminal-svg.ts'

describe('terminal picture', () => {
  it('shows what a redrawn progress block shows at last', () => {
    const screen = screenOf('head\r\ndone 1\r\nfailed 0\r\n', '\x1b[2A\x1b[J', 'done 2\r\nfailed 1\r\n')
    assert.deepEqual(linesOf(screen), ['head', 'done 2', 'failed 1'])
  })

  it('erases to the end of a line after a carriage return', () => {
    assert.deepEqual(linesOf(screenOf('a long line\r\x1b[Kshort')), ['short'])
    assert.deepEqual(linesOf(screenOf('a long line\rshort')), ['shortg line'])
  })

  it('understands a control sequence that comes in two pieces, and ignores what it does not know', () => {
    const screen = screenOf('\x1b[?25l\x1b]0;title\x07plain \x1b[3', '2mgreen\x1b[0m')
    assert.deepEqual(linesOf(screen), ['plain green'])
    assert.equal(screen.rows()[0]?.[6]?.style.color, 2)
    assert.equal(screen.rows()[0]?.[0]?.style.color, undefined)
  })

  it('wraps a line that is wider than the terminal', () => {
    assert.deepEqual(linesOf(screenOf('x'.repeat(25))), ['x'.repeat(20), 'x'.repeat(5)])
  })

  it('draws the last frame for readers without motion, and the ones before it hidden', () => {
    const frames = ['one <1>', 'two & 2'].map((text, index) => ({ atSeconds: index, rows: screenOf(text).rows() }))
    const svg = renderTerminal(frames, { title: 'a & b', columns: 20, restSeconds: 1 })
    assert.match(svg, /<title>a &amp; b<\/title>/)
    assert.match(svg, /<text [^>]*class="past [^"]*"><tspan [^>]*>one &lt;1&gt;<\/tspan>/)
    assert.match(svg, /<text [^>]*class="f1-00_"><tspan [^>]*>two &amp; 2<\/tspan>/)
  })
})

function screenOf(...pieces: readonly string[]): Screen {
  const screen = new Screen({ columns: 20 })
  for (const piece of pieces) screen.write(piece)
  return screen
}

function linesOf(screen: Screen): string[] {
  return screen.rows().map(row => row.map(({ text }) => text).join(''))
}
