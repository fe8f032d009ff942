import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { AGENT_METRICS, JOB_METRICS } from '../../core/metric-table.ts'

const folder = join(import.meta.dirname, '../../examples/monitoring')

interface Panel {
  readonly id: number
  readonly title: string
  readonly description: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets: readonly { readonly expr: string }[]
}

describe('examples/monitoring', () => {
  const dashboard = JSON.parse(readFileSync(join(folder, 'grafana-dashboard.json'), 'utf8'))
  const panels: readonly Panel[] = dashboard.panels
  const known: Readonly<Record<string, { readonly labels?: readonly string[]; readonly kind: string }>> = {
    ...JOB_METRICS,
    ...AGENT_METRICS,
  }

  it('asks only for metrics and labels that there are, and for every label with its own value', () => {
    for (const { title, targets } of panels) {
      assert.ok(targets.length > 0, title)
      for (const { expr } of targets) {
        const used = [...expr.matchAll(/(cloud_tasks_\w+)(?:\{([^}]*)\})?/g)]
        assert.ok(used.length > 0, expr)
        for (const [, name = '', selector = ''] of used) {
          const spec = known[name.replace(/_bucket$/, '')]
          assert.ok(spec !== undefined, `${title}: ${name}`)
          assert.equal(name.endsWith('_bucket'), spec.kind === 'histogram', name)
          for (const [, label = ''] of selector.matchAll(/(\w+)=/g)) {
            assert.ok(label === 'job' || spec.labels?.includes(label) === true, `${title}: ${name} has no ${label}`)
          }
        }
      }
    }
  })

  it('shows every panel in a place of its own, with a sentence that explains it', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    )
    assert.equal(new Set(cells).size, cells.length, 'no two overlap')
    for (const { description, title } of panels) assert.match(description, /\.$/, title)
  })

  it('lets Prometheus read a manager and an agent', () => {
    const { scrape_configs: scrapes } = parse(readFileSync(join(folder, 'prometheus.yml'), 'utf8'))
    assert.equal(scrapes.length, 2)
    for (const scrape of scrapes) assert.match(scrape.static_configs[0].targets[0], /^127\.0\.0\.1:\d+$/)
  })
})
