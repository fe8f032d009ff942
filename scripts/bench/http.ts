// The HTTP API: claims and completions a second, with the clients on the same two cores.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ROOT } from './compiled.ts'
import type { Context } from './context.ts'
import { bare } from './limits.ts'
import { alternate } from './measure.ts'
import { cloudFolder, JOB_ID, LEASE_SECONDS, openLocalCloud } from './place.ts'
import { numberOf, runProgram } from './program.ts'
import type { Row } from './row.ts'
import { program, RUN } from './template.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const TARGET = 5_000
const KEY = 'key-of-the-bench'
const CLIENTS = 100
const TASKS_SHARE = 20 // of the tasks that the agent is measured with
const START_MS = 20_000

export async function measureHttp({ sizes, repeats, say }: Context): Promise<readonly Row[]> {
  say('the HTTP API')
  const pairs = Math.ceil(sizes.tasks / TASKS_SHARE)
  const { ours, limit } = await alternate({ ours: () => served(pairs), limit: () => bareServed(pairs) }, { repeats })
  return [
    {
      what: `HTTP: claim and complete, ${CLIENTS} clients`,
      unit: 'tasks/s',
      ours,
      limit: { name: 'node:http that does nothing', value: limit },
      target: { atLeast: TARGET },
    },
  ]
}

async function served(pairs: number): Promise<number> {
  await using folder = await openTemporaryFolder()
  const provider = await openLocalCloud(folder.path)
  await provider.openQueue(JOB_ID, { leaseSeconds: LEASE_SECONDS }).send(
    Array.from({ length: pairs }, (_, i) => ({
      body: JSON.stringify({ task_id: `task-${i}`, data: { first: i, second: 2 } }),
    })),
  )
  await provider.close()
  const words = ['serve', '--provider', 'local', '--local-root', cloudFolder(folder.path), '--job-id', JOB_ID]
  return await withServer([join(ROOT, 'agent', 'main.ts'), ...words, '--port', '0'], pairs, folder.path)
}

async function bareServed(pairs: number): Promise<number> {
  return await withServer([bare('http.ts')], pairs, ROOT)
}

/** The server says its address on stderr. */
async function withServer(command: readonly string[], pairs: number, cwd: string): Promise<number> {
  const server = spawn(process.execPath, command, {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, API_KEY: KEY },
  })
  const closed = once(server, 'close')
  try {
    const port = await new Promise<string>((resolve, reject) => {
      let said = ''
      const timer = setTimeout(() => reject(new Error(`The server did not start: ${said}`)), START_MS)
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text
        const found = /:(\d+)\//.exec(said)?.[1]
        if (found === undefined) return
        clearTimeout(timer)
        resolve(found)
      })
      server.once('close', () => reject(new Error(`The server ended: ${said}`)))
    })
    const clients = await runProgram([program('http-clients.ts'), port, KEY, String(pairs), String(CLIENTS)], RUN)
    return numberOf(clients, 'perSecond')
  } finally {
    server.kill('SIGKILL')
    await closed
  }
}
