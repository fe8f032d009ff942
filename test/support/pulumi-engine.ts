// A small engine of Pulumi: the real program runner runs the real program against it, and every resource that the program asks for
// is made, kept, or made anew in a cloud that the test gives; what is no longer asked for is removed. Not Pulumi's own engine:
// it knows no providers, plans or locks, and its state lasts as long as the test.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { isDeepStrictEqual } from 'node:util'
import { requirePulumi, STACK_FOLDER } from './pulumi-packages.ts'

export type Inputs = Readonly<Record<string, unknown>>

export interface Made {
  readonly id: string
  /** What only the cloud knows. */
  readonly outputs?: Inputs
}

/** A cloud, as far as it can be. */
export interface EngineCloud {
  create(type: string, name: string, inputs: Inputs): Promise<Made>
  remove(type: string, id: string, inputs: Inputs): Promise<void>
  /** Of functions that programs call, such as `gcp:organizations/getProject:getProject`. */
  invoke(name: string, args: Inputs): Inputs
}

export interface EngineRun {
  readonly outputs: Inputs
  /** Such as `create gcp:pubsub/topic:Topic tasks-topic`. */
  readonly changes: readonly string[]
}

interface Kept extends Made {
  readonly type: string
  readonly inputs: Inputs
  /** The same for inputs that mean the same. */
  readonly meaning: unknown
}

const PROJECT = 'cloud-tasks'
const RUN_MS = 120_000

export class PulumiEngine {
  readonly #cloud: EngineCloud
  /** By name and type, in the order in which they were made. */
  readonly #state = new Map<string, Kept>()

  constructor(cloud: EngineCloud) {
    this.#cloud = cloud
  }

  /** As `pulumi up` with these settings. Rejects with what the program has said. */
  async up(config: Readonly<Record<string, string>>): Promise<EngineRun> {
    const run = new Run(this.#cloud, this.#state)
    const outputs = await run.program(config)
    for (const urn of [...this.#state.keys()].reverse()) if (!run.seen.has(urn)) await this.#remove(urn, run.changes)
    return { outputs, changes: run.changes }
  }

  /** As `pulumi destroy`: the last first. */
  async down(): Promise<readonly string[]> {
    const changes: string[] = []
    for (const urn of [...this.#state.keys()].reverse()) await this.#remove(urn, changes)
    return changes
  }

  async #remove(urn: string, changes: string[]): Promise<void> {
    const kept = this.#state.get(urn)
    if (kept === undefined) return
    await this.#cloud.remove(kept.type, kept.id, kept.inputs)
    this.#state.delete(urn)
    changes.push(`delete ${urn}`)
  }
}

class Run {
  readonly seen = new Set<string>()
  readonly changes: string[] = []
  readonly #cloud: EngineCloud
  readonly #state: Map<string, Kept>
  readonly #said: string[] = []
  #outputs: Inputs = {}

  constructor(cloud: EngineCloud, state: Map<string, Kept>) {
    this.#cloud = cloud
    this.#state = state
  }

  async program(config: Readonly<Record<string, string>>): Promise<Inputs> {
    const { server, address } = await this.#serve()
    try {
      const settings = Object.fromEntries(Object.entries(config).map(([key, value]) => [`${PROJECT}:${key}`, value]))
      const options = { monitor: address, engine: address, project: PROJECT, stack: 'test', organization: 'test' }
      const flags = { ...options, pwd: STACK_FOLDER, 'root-directory': STACK_FOLDER, parallel: 8 }
      const runner = requirePulumi.resolve('@pulumi/pulumi/cmd/run')
      const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
      const child = spawn(process.execPath, [runner, ...args, 'program.ts'], {
        cwd: STACK_FOLDER,
        env: { ...process.env, PULUMI_CONFIG: JSON.stringify(settings), PULUMI_NODEJS_TYPESCRIPT: 'false' },
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: RUN_MS,
      })
      const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
      if (code === 0 && this.#said.length === 0) return this.#outputs
      throw new Error(this.#said.join('\n') || errors || `The program ended with code ${code}.`)
    } finally {
      server.forceShutdown()
    }
  }

  async #register(type: string, name: string, inputs: Inputs): Promise<Made> {
    const urn = `${type} ${name}`
    this.seen.add(urn)
    const before = this.#state.get(urn)
    const meaning = meaningOf(inputs)
    if (before !== undefined && isDeepStrictEqual(before.meaning, meaning)) return before
    // As for what has a name of its own and cannot be changed: removed first.
    if (before !== undefined) await this.#cloud.remove(type, before.id, before.inputs)
    const made = await this.#cloud.create(type, name, inputs)
    this.#state.set(urn, { ...made, type, inputs, meaning })
    this.changes.push(`${before === undefined ? 'create' : 'replace'} ${urn}`)
    return made
  }

  async #serve(): Promise<{ readonly server: GrpcServer; readonly address: string }> {
    const grpc: Grpc = requirePulumi('@grpc/grpc-js')
    const messages: Messages = requirePulumi('@pulumi/pulumi/proto/resource_pb')
    const engineMessages: Messages = requirePulumi('@pulumi/pulumi/proto/engine_pb')
    const { Struct }: { Struct: StructClass } = requirePulumi('google-protobuf/google/protobuf/struct_pb')
    const { Empty }: Messages = requirePulumi('google-protobuf/google/protobuf/empty_pb')
    const empty = () => make(Empty, {})
    let rootUrn = ''

    const server = new grpc.Server()
    serve(server, requirePulumi('@pulumi/pulumi/proto/resource_grpc_pb').ResourceMonitorService, {
      supportsFeature: () => make(messages.SupportsFeatureResponse, { Hassupport: false }),
      registerResource: async request => {
        const [type, name] = [String(request.getType?.()), String(request.getName?.())]
        const inputs = fieldsOf(request.getObject?.())
        const custom = request.getCustom?.() === true && !type.startsWith('pulumi:')
        const made = custom ? await this.#register(type, name, inputs) : { id: `${name}-id` }
        return make(messages.RegisterResourceResponse, {
          Urn: `urn:pulumi:test::${PROJECT}::${type}::${name}`,
          ...(request.getCustom?.() === true && { Id: made.id }),
          Object: Struct.fromJavaScript({ ...inputs, ...made.outputs }),
        })
      },
      registerResourceOutputs: request => {
        const outputs = fieldsOf(request.getOutputs?.())
        if (String(request.getUrn?.()).includes('pulumi:pulumi:Stack')) this.#outputs = outputs
        return empty()
      },
      invoke: request => {
        const answer = this.#cloud.invoke(String(request.getTok?.()), fieldsOf(request.getArgs?.()))
        return make(messages.ResourceInvokeResponse, { Return: Struct.fromJavaScript(answer) })
      },
      signalAndWaitForShutdown: empty,
    })
    serve(server, requirePulumi('@pulumi/pulumi/proto/engine_grpc_pb').EngineService, {
      log: request => {
        const isError = Number(request.getSeverity?.()) >= 3
        if (isError) this.#said.push(String(request.getMessage?.()))
        return empty()
      },
      getRootResource: () => make(engineMessages.GetRootResourceResponse, { Urn: rootUrn }),
      setRootResource: request => {
        rootUrn = String(request.getUrn?.())
        return make(engineMessages.SetRootResourceResponse, {})
      },
    })
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      )
    })
    return { server, address: `127.0.0.1:${port}` }
  }
}

const SIGNATURE = '4dabf18193072939515e22adb298388d' // by which Pulumi marks what is more than a JSON value
const ASSET = 'c44067f5952c0a294b673a41bacd8c17'

/** Of a file its content counts, wherever it lies. */
function meaningOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(meaningOf)
  if (typeof value !== 'object' || value === null) return value
  const fields: Inputs = { ...value }
  if (fields[SIGNATURE] === ASSET) {
    return createHash('sha256')
      .update(readFileSync(String(fields.path)))
      .digest('hex')
  }
  return Object.fromEntries(Object.entries(fields).map(([key, inner]) => [key, meaningOf(inner)]))
}

/** Methods that nobody has written answer that they are not there, as an older engine would. */
function serve(server: GrpcServer, service: object, handlers: Readonly<Record<string, Handler>>): void {
  const methods = Object.keys(service).map(name => {
    const handler = handlers[name]
    const method = (call: { readonly request: Message }, answer: (error: object | null, value?: Message) => void) => {
      if (handler === undefined) return answer({ code: UNIMPLEMENTED, message: `${name} is not served here` })
      Promise.resolve()
        .then(() => handler(call.request))
        .then(
          value => answer(null, value),
          error => answer({ code: INTERNAL, message: String(error) }),
        )
    }
    return [name, method] as const
  })
  server.addService(service, Object.fromEntries(methods))
}

const UNIMPLEMENTED = 12 // https://grpc.io/docs/guides/status-codes/
const INTERNAL = 13

function make(Class: MessageClass | undefined, fields: Readonly<Record<string, unknown>>): Message {
  if (Class === undefined) throw new Error('This version of Pulumi names its messages otherwise.')
  const message = new Class()
  for (const [name, value] of Object.entries(fields)) message[`set${name}`]?.(value)
  return message
}

function fieldsOf(struct: unknown): Inputs {
  const filled = typeof struct === 'object' && struct !== null && 'toJavaScript' in struct
  return filled && typeof struct.toJavaScript === 'function' ? { ...struct.toJavaScript() } : {}
}

// What of the generated code is used here; it is not typed for who has it from another folder.
type Handler = (request: Message) => Message | Promise<Message>
type Message = Readonly<Record<string, ((value?: unknown) => unknown) | undefined>>
type MessageClass = new () => Message
type Messages = Readonly<Record<string, MessageClass>>
interface StructClass {
  fromJavaScript(value: Inputs): unknown
}
interface GrpcServer {
  addService(service: object, methods: object): void
  bindAsync(address: string, credentials: object, bound: (error: Error | null, port: number) => void): void
  forceShutdown(): void
}
interface Grpc {
  readonly Server: new () => GrpcServer
  readonly ServerCredentials: { createInsecure(): object }
}
