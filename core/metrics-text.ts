// Renders metrics as the text that Prometheus reads. https://prometheus.io/docs/instrumenting/exposition_formats/
import { type MetricName, metricSpec } from './metric-table.ts'

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string>>

/** One value, a value for each combination of labels, or a histogram. undefined = not known: left out. */
export type MetricValue = number | undefined | readonly (readonly [Labels, number])[] | Histogram

export function renderMetrics(
  values: Readonly<Partial<Record<MetricName, MetricValue>>>,
  everywhere: Labels = {},
): string {
  return Object.entries(values)
    .map(([name, value]) => renderFamily(name as MetricName, value, everywhere))
    .join('')
}

export function processMetrics(): Readonly<Partial<Record<MetricName, number>>> {
  const { user, system } = process.cpuUsage()
  return {
    process_start_time_seconds: Math.round(performance.timeOrigin) / 1000,
    process_cpu_seconds_total: (user + system) / 1e6,
    process_resident_memory_bytes: process.memoryUsage.rss(),
  }
}

/** Tasks take from a millisecond to hours: three bounds for each factor of ten. */
const BOUNDS_SECONDS = [
  0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800,
] as const

export class Histogram {
  readonly #counts = new Float64Array(BOUNDS_SECONDS.length + 1)
  #sum = 0

  observe(seconds: number): void {
    let place = 0
    while (place < BOUNDS_SECONDS.length && seconds > (BOUNDS_SECONDS[place] ?? 0)) place++
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#sum += seconds
  }

  lines(name: string, everywhere: Labels): string {
    let below = 0
    const buckets = [...this.#counts].map((count, place) => {
      below += count
      return sample(`${name}_bucket`, { ...everywhere, le: numberText(BOUNDS_SECONDS[place] ?? Infinity) }, below)
    })
    return `${buckets.join('')}${sample(`${name}_sum`, everywhere, this.#sum)}${sample(`${name}_count`, everywhere, below)}`
  }
}

function renderFamily(name: MetricName, value: MetricValue, everywhere: Labels): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return ''
  const { kind, doc } = metricSpec(name)
  const head = `# HELP ${name} ${doc.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n`
  if (value instanceof Histogram) return head + value.lines(name, everywhere)
  if (typeof value === 'number') return head + sample(name, everywhere, value)
  return head + value.map(([labels, each]) => sample(name, { ...everywhere, ...labels }, each)).join('')
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}\n`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
