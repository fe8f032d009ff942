// A machine of a lab: boots a script as a VM of a cloud does, in a network of its own, until it powers itself off or its
// power is cut. What it runs is real; only its metadata service is a fake.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { killAll, processesMentioning, until } from '../processes.ts'
import type { LabNetwork } from './network.ts'

export interface MachineOptions {
  readonly network: LabNetwork
  /** Empty; for its console and disk. */
  readonly folder: string
  /** Program that serves the metadata, see metadata-program.ts. */
  readonly metadata: { readonly cloud: 'aws' | 'gcp' | 'azure'; readonly options: object }
  /** What the boot environment of an image has. */
  readonly env?: Readonly<Record<string, string>>
}

export interface LabMachine {
  /** Resolves when it has powered itself off or its power was cut. Its processes are gone then. */
  readonly off: Promise<'powered off' | 'cut'>
  readonly isOff: boolean
  /** To its metadata service, e.g. { do: 'interrupt', inSeconds: 10 }. */
  tell(command: object): void
  console(): string
  pids(): readonly number[]
  /** kill -9 of everything at once. */
  cut(): Promise<void>
}

const POWER_COMMANDS = ['shutdown', 'poweroff', 'systemctl', 'halt']
const LOOK_MS = 50

export async function bootMachine(script: string | Buffer, options: MachineOptions): Promise<LabMachine> {
  const { network, folder, env = {} } = options
  const namespace = network.addNamespace()
  const files = {
    script: join(folder, 'user-data'),
    console: join(folder, 'console.log'),
    power: join(folder, 'power'),
  }
  writeFileSync(files.script, script, { mode: 0o700 })
  makePowerCommands(join(folder, 'sbin'), files.power)
  const services = await startServices(options, namespace)

  const console = openSync(files.console, 'a')
  const home = join(folder, 'opt')
  mkdirSync(home)
  const environment = {
    PATH: `${join(folder, 'sbin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: 'C.UTF-8',
    CLOUD_TASKS_LAB_MACHINE: folder, // by which its processes are found
    CLOUD_TASKS_SYSTEMD: join(folder, 'none'),
    ...(namespace === undefined ? { CLOUD_TASKS_HOME: home, ...services.environment } : {}),
    ...env,
  }
  // In a namespace of mounts, too: an empty /opt, as on a new machine.
  const inside = `mount --bind '${home}' /opt && exec bash '${files.script}'`
  const [command, args] =
    namespace === undefined
      ? (['bash', [files.script]] as const)
      : (['ip', ['netns', 'exec', namespace.name, 'bash', '-c', inside]] as const)
  const init = spawn(command, args, { cwd: '/', env: environment, detached: true, stdio: ['ignore', console, console] })
  closeSync(console)

  let isOff = false
  let ended: (how: 'powered off' | 'cut') => void = () => {}
  const off = new Promise<'powered off' | 'cut'>(resolve => {
    ended = resolve
  })
  const pids = () =>
    (namespace?.pids() ?? processesMentioning(`CLOUD_TASKS_LAB_MACHINE=${folder}`).map(({ pid }) => pid)).filter(
      pid => pid !== services.process.pid,
    )
  const end = async (how: 'powered off' | 'cut') => {
    if (isOff) return
    isOff = true
    clearInterval(looking)
    await until(`machine ${folder} is dead`, () => {
      killAll(pids())
      return pids().length === 0
    })
    services.process.kill('SIGKILL')
    if (services.process.exitCode === null && services.process.signalCode === null) await once(services.process, 'exit')
    namespace?.remove()
    ended(how)
  }
  const looking = setInterval(() => {
    if (existsSync(files.power)) void end('powered off')
  }, LOOK_MS)
  init.on('error', error => writeFileSync(files.console, String(error), { flag: 'a' }))
  return {
    off,
    get isOff() {
      return isOff
    },
    tell: command => services.process.stdin?.write(`${JSON.stringify(command)}\n`),
    console: () => readFileSync(files.console, 'utf8'),
    pids,
    cut: () => end('cut'),
  }
}

/** In the place of the real ones, which would end this host. A delayed shutdown (+5) is not waited for. */
function makePowerCommands(folder: string, power: string): void {
  mkdirSync(folder)
  for (const name of POWER_COMMANDS) {
    const file = join(folder, name)
    writeFileSync(
      file,
      `#!/bin/sh\ncase "$*" in *+*|*enable*|*daemon-reload*) exit 0 ;; esac\necho "$0 $*" >> '${power}'\nsleep 60\n`,
    )
    chmodSync(file, 0o755)
  }
}

const SERVICES_PROGRAM = join(import.meta.dirname, 'metadata-program.ts')

async function startServices(
  { network, metadata }: MachineOptions,
  namespace: ReturnType<LabNetwork['addNamespace']>,
): Promise<{ readonly process: ChildProcess; readonly environment: Readonly<Record<string, string>> }> {
  const plan = JSON.stringify({
    ...metadata,
    isolated: namespace !== undefined,
    forwards: namespace === undefined ? [] : network.forwardedPorts,
    hostAddress: namespace?.hostAddress,
  })
  const words = [process.execPath, SERVICES_PROGRAM, plan]
  const [command = '', ...args] = namespace === undefined ? words : ['ip', 'netns', 'exec', namespace.name, ...words]
  const services = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const line = once(createInterface({ input: services.stdout }), 'line', { signal: AbortSignal.timeout(20_000) })
  const died = once(services, 'exit').then(() => {
    throw new Error('The metadata service of a machine did not start.')
  })
  const [text] = await Promise.race([line, died])
  died.catch(() => {})
  return { process: services, environment: JSON.parse(String(text)) }
}
