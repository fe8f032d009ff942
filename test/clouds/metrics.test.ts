// The real Prometheus reads the metrics of a real job and a real agent, and promtool finds nothing to complain of.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'
import { JobFolder } from '../support/job-folder.ts'

const TIMEOUT = { timeout: 120_000 }
const missing =
  spawnSync('promtool', ['--version']).status === 0 && spawnSync('prometheus', ['--version']).status === 0
    ? false
    : 'Prometheus is not installed: apt-get install prometheus'
const WAITS = `import { existsSync } from 'node:fs'
export default async (id, { a }) => {
  while (a >= 55 && !existsSync(new URL('enough', import.meta.url))) await new Promise(resolve => setTimeout(resolve, 20))
  return a
}
`

describe('Prometheus', { skip: missing }, () => {
  it('reads the metrics of a running job and of an agent, and promtool approves of both', TIMEOUT, async t => {
    const folder = new JobFolder({ taskCount: 60, taskModule: WAITS, run: ['max_total_cost: 5'] })
    t.after(() => folder.remove())
    const [jobPort, agentPort, port] = [await freePort(), await freePort(), await freePort()]
    const job = folder.start(
      ...['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--metrics-port', String(jobPort)],
    )
    startAgent(t, folder, agentPort)
    for (const each of [jobPort, agentPort]) {
      const text = await textOf(each)
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
      assert.equal(status, 0, `${stdout}${stderr}`)
      assert.equal(`${stdout}${stderr}`, '')
    }
    startPrometheus(t, folder, port, [jobPort, agentPort])
    const query = (expression: string) => ask(port, expression)
    await eventually('most tasks are done in the eyes of Prometheus', async () => {
      return Number(await query('cloud_tasks_job_tasks{status="completed"}')) >= 40
    })
    await eventually('both are scraped', async () => (await query('sum(up)')) === '2')
    assert.equal(await query('sum(cloud_tasks_job_tasks)'), '60')
    assert.ok(Number(await query('cloud_tasks_job_cost_usd_total')) > 0)
    assert.equal(await query('cloud_tasks_agent_slots'), '1')
    const p50 = await query('histogram_quantile(0.5, cloud_tasks_job_attempt_duration_seconds_bucket)')
    assert.ok(Number(p50) >= 0 && Number(p50) < 10, p50)
    folder.write('enough', '')
    const { exitCode, stderr } = await job.ended
    assert.equal(exitCode, 0, stderr)
  })
})

interface Answer {
  readonly data?: { readonly result?: readonly { readonly value?: readonly [number, string] }[] }
}

/** The value of the first series; undefined while there is none. */
async function ask(port: number, expression: string): Promise<string | undefined> {
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`
  try {
    const { data }: Answer = JSON.parse(await (await fetch(url)).text())
    return data?.result?.[0]?.value?.[1]
  } catch {
    return undefined // it is just starting
  }
}

function startAgent(t: TestContext, folder: JobFolder, port: number): void {
  const words = ['--provider', 'local', '--local-root', folder.file('elsewhere'), '--job-id', 'other']
  const agent = spawn(process.execPath, [AGENT, ...words, '--metrics-port', String(port), folder.file('task.ts')], {
    cwd: folder.path,
    stdio: 'ignore',
  })
  t.after(() => agent.kill('SIGKILL'))
}

const AGENT = new URL('../../agent/main.ts', import.meta.url).pathname

function startPrometheus(t: TestContext, folder: JobFolder, port: number, targets: readonly number[]): void {
  const addresses = targets.map(target => `'127.0.0.1:${target}'`).join(', ')
  folder.write(
    'prometheus.yml',
    [
      'global: { scrape_interval: 1s }',
      'scrape_configs:',
      '  - job_name: cloud-tasks',
      `    static_configs: [{ targets: [${addresses}] }]`,
      '',
    ].join('\n'),
  )
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${folder.file('prometheus.yml')}`,
      `--storage.tsdb.path=${folder.file('tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  t.after(() => prometheus.kill('SIGKILL'))
}

async function textOf(port: number): Promise<string> {
  let text: string | undefined
  await eventually(`metrics at port ${port}`, async () => {
    text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
      response => response.text(),
      () => undefined,
    )
    return text !== undefined
  })
  return text ?? ''
}

async function eventually(what: string, met: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await met())) {
    assert.ok(Date.now() < deadline, `waited for: ${what}`)
    await sleep(100)
  }
}
