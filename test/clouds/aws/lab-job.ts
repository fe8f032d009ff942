// What every job of the lab on AWS has: an emulator whose instances really boot on this host, a shelf with a program that is
// Node, and the environment in which a person would call the CLI.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { systemClock } from '../../../core/clock.ts'
import { openProvider } from '../../../infra/aws/index.ts'
import { type Archive, packArchive } from '../../../infra/delivery/archive.ts'
import type { Provider } from '../../../infra/provider.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { type Ec2Lab, openEc2Lab } from './ec2-lab.ts'

export const REGION = 'us-east-1'
export const NOTICE_MS = 8000 // two minutes on AWS
const WAIT_MS = 150_000

export interface AwsLab {
  /** A folder of its own, which goes with it. */
  readonly disk: string
  readonly moto: Moto
  readonly ec2: Ec2Lab
  readonly env: Readonly<Record<string, string>>
  readonly provider: Provider
  /** Lines under `aws:` of a job file: where it is, and where its VMs find Node. */
  readonly section: readonly string[]
  /** What `look` answers, as soon as it is something. Fails with the consoles of all machines. */
  until<Found>(what: string, look: () => Promise<Found | undefined>): Promise<Found>
  aliveCount(jobId: string): Promise<number>
  close(): Promise<void>
}

export interface AwsLabOptions {
  /** A bucket that exists. */
  readonly bucket?: string
}

export async function openAwsLab({ bucket }: AwsLabOptions = {}): Promise<AwsLab> {
  const disk = mkdtempSync(join(tmpdir(), 'cloud-tasks-lab-'))
  const moto = await startMoto()
  const env = {
    AWS_ENDPOINT_URL: moto.endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EC2_METADATA_DISABLED: 'true',
    CLOUD_TASKS_SPOT_ADVISOR_URL: `${moto.endpoint}/nothing-there`,
    CLOUD_TASKS_SQS_PURGE_SECONDS: '0', // the emulator purges at once
    XDG_CACHE_HOME: join(disk, 'cache'),
  }
  const node = await packNode(disk)
  const shelf = await serveFile(node.path)
  const port = portOf(shelf)
  const ec2 = await openEc2Lab({ moto, region: REGION, folder: disk, ports: [port] })
  const provider = openProvider({ region: REGION, env, ...(bucket === undefined ? undefined : { bucket }) })
  return {
    disk,
    moto,
    ec2,
    env,
    provider,
    section: [
      `region: ${REGION}`,
      `node_url: http://localhost:${port}/${basename(node.path)}`,
      `node_sha512: ${node.sha512}`,
      ...(bucket === undefined ? [] : [`bucket: ${bucket}`]),
    ],
    async until(what, look) {
      const deadlineMs = systemClock.now() + WAIT_MS
      for (;;) {
        const found = await look()
        if (found !== undefined && !(Array.isArray(found) && found.length === 0)) return found
        if (systemClock.now() > deadlineMs) {
          const consoles = ec2.instances.map(({ id, machine }) => `${id}:\n${machine.console()}`)
          assert.fail(`Waited in vain: ${what}.\n${consoles.join('\n')}`)
        }
        await systemClock.sleep(100)
      }
    },
    async aliveCount(jobId) {
      return (await provider.openPool({ jobId }).list()).filter(vm => vm.state !== 'terminated').length
    },
    async close() {
      await ec2.close()
      await provider.close()
      shelf.closeAllConnections()
      shelf.close()
      await moto.close()
      rmSync(disk, { recursive: true, force: true })
    },
  }
}

/** A program that is Node, in the place of a hundred megabytes. */
async function packNode(disk: string): Promise<Archive> {
  mkdirSync(join(disk, 'node/v24/bin'), { recursive: true })
  writeFileSync(join(disk, 'node/v24/bin/node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 })
  return packArchive({ root: join(disk, 'node'), paths: ['v24/bin/node'] }, { folder: disk, name: 'node' })
}

async function serveFile(path: string): Promise<Server> {
  const server = createServer((_, response) => createReadStream(path).pipe(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}
