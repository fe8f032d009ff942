// Reads the text that Prometheus reads, as strictly as promtool does, so that a test needs no Prometheus.
import assert from 'node:assert/strict'

export interface ParsedMetrics {
  /** Kind by name. */
  readonly families: ReadonlyMap<string, string>
  /** Value by the sample as it is written, labels included. */
  readonly samples: ReadonlyMap<string, number>
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\\\\\|\\\\"|\\\\n)*"'
const SAMPLE = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (\\+Inf|-Inf|NaN|-?[\\d.]+(?:e[+-]?\\d+)?)$`)
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\\\\\|\\\\n)+)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`)

export function parseMetrics(text: string): ParsedMetrics {
  assert.ok(text.endsWith('\n'), 'the last line ends with a newline')
  const families = new Map<string, string>()
  const samples = new Map<string, number>()
  let family = ''
  let helped = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const help = HELP.exec(line)
    const type = TYPE.exec(line)
    if (help !== null) helped = help[1] ?? ''
    else if (type !== null) {
      family = type[1] ?? ''
      assert.equal(helped, family, `TYPE comes after HELP of the same family: ${line}`)
      assert.ok(!families.has(family), `a family is in one piece: ${line}`)
      families.set(family, type[2] ?? '')
    } else readSample(line)
  }
  for (const [name, kind] of families) checkFamily(name, kind, samples)
  return { families, samples }

  function readSample(line: string): void {
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`)
    const base = families.get(family) === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name
    assert.equal(base, family, `a sample stands under its family: ${line}`)
    assert.ok(!samples.has(name + labels), `a sample is there once: ${line}`)
    samples.set(name + labels, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value))
  }
}

/** What promtool's linter asks for, and that a histogram adds up. */
function checkFamily(name: string, kind: string, samples: ReadonlyMap<string, number>): void {
  assert.equal(name.endsWith('_total'), kind === 'counter', `counters, and they alone, end with _total: ${name}`)
  assert.doesNotMatch(
    name,
    /_(milliseconds|ms|minutes|hours|days|kilobytes|kb|mb|gb|percent|count|sum|bucket)(_|$)/,
    name,
  )
  const own = [...samples].filter(([key]) => key.replace(/\{.*/, '') === name)
  if (kind === 'counter') for (const [key, value] of own) assert.ok(value >= 0, key)
  if (kind !== 'histogram') return
  const buckets = [...samples].filter(([key]) => key.startsWith(`${name}_bucket{`))
  const bounds = buckets.map(([key]) => Number((/le="([^"]+)"/.exec(key)?.[1] ?? '').replace('+Inf', 'Infinity')))
  assert.deepEqual(
    bounds,
    bounds.toSorted((a, b) => a - b),
  )
  assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY)
  assert.ok(buckets.every(([, value], i) => i === 0 || value >= (buckets[i - 1]?.[1] ?? 0)))
  const count = [...samples].find(([key]) => key.replace(/\{.*/, '') === `${name}_count`)
  assert.equal(buckets.at(-1)?.[1], count?.[1])
}
