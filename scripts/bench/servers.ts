// Private servers for the peers that need one: on loopback, in a folder of their own, ended with the measurement.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chown, readdir } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../test/support/free-port.ts'

const START_SECONDS = 20

export interface Server extends AsyncDisposable {
  readonly port: number
}

/** undefined when there is no `redis-server`. */
export async function openRedis(folder: string): Promise<Server | undefined> {
  const binary = await findOnPath('redis-server')
  if (binary === undefined) return undefined
  const port = await freePort()
  return serve(
    binary,
    ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
    { port, folder },
  )
}

/** undefined when there is no PostgreSQL. As root it runs as the user `postgres` or `nobody`, as PostgreSQL demands. */
export async function openPostgres(folder: string): Promise<Server | undefined> {
  const binaries = await findPostgres()
  if (binaries === undefined) return undefined
  const owner = await ownerForPostgres()
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  const env = { ...process.env, HOME: folder }
  await promisify(execFile)(join(binaries, 'initdb'), ['-D', data, '-U', 'bench', '-A', 'trust', '-N'], {
    ...owner,
    cwd: folder,
    env,
  })
  const port = await freePort()
  return serve(join(binaries, 'postgres'), ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', ''], {
    port,
    folder,
    ...owner,
  })
}

/** The first folder of PATH that holds it. */
export async function findOnPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    if (await exists(join(folder, name))) return join(folder, name)
  }
  return undefined
}

interface Place {
  readonly port: number
  readonly folder: string
  readonly uid?: number
  readonly gid?: number
}

async function serve(binary: string, args: readonly string[], { port, folder, ...owner }: Place): Promise<Server> {
  const child = spawn(binary, args, { ...owner, cwd: folder, stdio: 'ignore' })
  const closed = once(child, 'close')
  const server: Server = {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGINT') // PostgreSQL: fast shutdown; Redis: end
      await closed
    },
  }
  if (await answers(port, child)) return server
  await server[Symbol.asyncDispose]()
  throw new Error(`"${binary}" did not open port ${port} within ${START_SECONDS} s.`)
}

async function answers(port: number, child: ChildProcess): Promise<boolean> {
  const deadlineAt = Date.now() + START_SECONDS * 1000
  while (Date.now() < deadlineAt && child.exitCode === null) {
    const socket = createConnection({ host: '127.0.0.1', port })
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (open) return true
    await sleep(50)
  }
  return false
}

async function findPostgres(): Promise<string | undefined> {
  const installed = '/usr/lib/postgresql'
  const versions = await readdir(installed).catch(() => [])
  const folders = [
    ...(process.env.PATH ?? '').split(':'),
    ...versions.sort((a, b) => Number(b) - Number(a)).map(version => join(installed, version, 'bin')),
  ]
  for (const folder of folders) {
    if ((await exists(join(folder, 'initdb'))) && (await exists(join(folder, 'postgres')))) return folder
  }
  return undefined
}

async function ownerForPostgres(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const ids = async (user: string, flag: '-u' | '-g') => Number((await promisify(execFile)('id', [flag, user])).stdout)
  const user = await ids('postgres', '-u').then(
    () => 'postgres',
    () => 'nobody',
  )
  return { uid: await ids(user, '-u'), gid: await ids(user, '-g') }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
