// Ministack as a server on a free port: another opinion on what SQS and other services of AWS do, in memory.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.ts'
import { freePort } from './free-port.ts'
import { startPython } from './test-tools.ts'

export interface Ministack {
  readonly endpoint: string
  close(): Promise<void>
}

const START_WITHIN_MS = 60_000 // usually 1 s
const LOOK_MS = 50

/** What the stack of a job, and the CDK's own, are made of. */
export const STACK_SERVICES =
  'cloudformation,cloudwatch,dynamodb,ec2,ecr,events,iam,kms,lambda,logs,monitoring,s3,sqs,ssm,sts'

export async function startMinistack({ services = 'sqs' } = {}): Promise<Ministack> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'ministack-'))
  const code = 'import sys; sys.argv = ["ministack"]\nfrom ministack.app import main\nmain()\n'
  const env = {
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    LOG_LEVEL: 'WARNING',
    SERVICES: services,
    TMPDIR: folder,
  }
  const server = startPython(code, { env })
  let said = ''
  for (const stream of [server.stdout, server.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-5000)
    })
  }
  const endpoint = `http://127.0.0.1:${port}`
  const giveUpMs = systemClock.now() + START_WITHIN_MS
  while (!(await answers(`${endpoint}/_ministack/health`))) {
    if (server.exitCode !== null || systemClock.now() > giveUpMs) throw new Error(`ministack did not start: ${said}`)
    await systemClock.sleep(LOOK_MS)
  }
  return {
    endpoint,
    async close() {
      const exit = server.exitCode === null && server.signalCode === null ? once(server, 'exit') : undefined
      server.stdin?.end()
      await exit
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}
