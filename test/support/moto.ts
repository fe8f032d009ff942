// Moto as a server on a free port: EC2, launch templates, CloudFormation and much else of AWS, in memory. See moto_server.py
// for what is added to it.
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startPython } from './test-tools.ts'

export interface Moto {
  /** With the host name `localhost`: moto answers wrongly to numbers. */
  readonly endpoint: string
  /** VMs left in a pool, such as `{ 't3.large us-east-1a': 0 }`; or the error code that it refuses with. */
  setCapacity(vmsByPlace: Readonly<Record<string, number | string>>): Promise<void>
  /** Ends an instance as EC2 itself would; `transition` is its StateTransitionReason. */
  endInstance(end: InstanceEnd): Promise<void>
  /** Adds to the environment of all Lambda functions, which run for real. */
  addFunctionEnvironment(env: Readonly<Record<string, string>>): Promise<void>
  /** Refuses the next `times` requests whose body holds all the texts. */
  fail(failure: RequestFailure): Promise<void>
  /** Client tokens of earlier requests count no more, as after a day on EC2. */
  forgetClientTokens(): Promise<void>
  close(): Promise<void>
}

interface RequestFailure {
  readonly holds: readonly string[]
  readonly code: string
  readonly message: string
  /** Default 1. */
  readonly times?: number
  /** True: it is done all the same, only the answer is lost. */
  readonly carriedOut?: boolean
}

interface InstanceEnd {
  readonly id: string
  readonly code: string
  readonly message: string
  readonly transition: string
  /** Of its spot request: the time of its last status. */
  readonly requestEndedAt?: Date
}

const SERVER = join(import.meta.dirname, 'moto_server.py')
const START_WITHIN_MS = 60_000 // usually 2 s; the first start compiles half of Python's packages

export async function startMoto(): Promise<Moto> {
  const code = `import runpy; runpy.run_path(${JSON.stringify(SERVER)}, run_name="__main__")`
  const server = startPython(code, { env: { MOTO_NODE: process.execPath } })
  const { stdin, stdout, stderr } = server
  if (stdin === null || stdout === null || stderr === null) throw new Error('moto was started without its pipes.')
  let complaints = ''
  stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-5000)
  })
  const ended = once(server, 'exit').then(() => {
    throw new Error(`moto did not start: ${complaints}`)
  })
  const line = once(createInterface({ input: stdout }), 'line', { signal: AbortSignal.timeout(START_WITHIN_MS) })
  const [port] = await Promise.race([line, ended])
  ended.catch(() => {}) // from here on it may end
  const endpoint = `http://localhost:${port}`
  return {
    endpoint,
    setCapacity: vmsByPlace => steer(endpoint, 'capacity', vmsByPlace),
    addFunctionEnvironment: env => steer(endpoint, 'functions', env),
    endInstance: end => steer(endpoint, 'end', end),
    fail: failure => steer(endpoint, 'fail', { times: 1, carriedOut: false, ...failure }),
    forgetClientTokens: () => steer(endpoint, 'forget', {}),
    async close() {
      if (server.exitCode !== null || server.signalCode !== null) return
      const exit = once(server, 'exit')
      stdin.end()
      await exit
    },
  }
}

async function steer(endpoint: string, what: string, body: unknown): Promise<void> {
  const answer = await fetch(`${endpoint}/steer/${what}`, { method: 'POST', body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`moto refused to be steered: ${answer.status} ${await answer.text()}`)
}
