// Makes the instances of an EC2 emulator real: each one boots on this host with its user data, read back from the server, and
// what happens to the machine is told to the server as EC2 would.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import {
  DescribeInstanceAttributeCommand,
  EC2Client,
  type Instance,
  paginateDescribeInstances,
} from '@aws-sdk/client-ec2'
import { bootMachine, type LabMachine } from '../../support/lab/machine.ts'
import { openLabNetwork } from '../../support/lab/network.ts'
import type { Moto } from '../../support/moto.ts'

export interface Ec2LabOptions {
  readonly moto: Moto
  readonly region: string
  /** For the disks and consoles of machines. */
  readonly folder: string
  /** Of this host's loopback, besides moto's. */
  readonly ports: readonly number[]
}

export interface LabInstance {
  readonly id: string
  readonly instanceType: string
  readonly machine: LabMachine
}

export interface Ec2Lab {
  readonly isolated: boolean
  /** All that were ever booted. */
  readonly instances: readonly LabInstance[]
  /** Spot takes the instance: the notice now, its end `afterMs` later. */
  interrupt(instance: LabInstance, afterMs: number): Promise<void>
  /** The host of the instance dies, without a notice. */
  kill(instance: LabInstance): Promise<void>
  close(): Promise<void>
}

const LOOK_MS = 200
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' }

export async function openEc2Lab({ moto, region, folder, ports }: Ec2LabOptions): Promise<Ec2Lab> {
  const network = await openLabNetwork([Number(new URL(moto.endpoint).port), ...ports])
  const client = new EC2Client({ endpoint: moto.endpoint, region, credentials: CREDENTIALS })
  const booted = new Map<string, Promise<LabInstance>>()
  const instances: LabInstance[] = []
  let closed = false

  const end = (id: string, code: string, message: string) =>
    moto.endInstance({
      id,
      code,
      message,
      transition: `${message} (${new Date().toISOString().slice(0, 19).replace('T', ' ')} GMT)`,
    })

  const boot = async (described: Instance): Promise<LabInstance> => {
    const { InstanceId: id = '', InstanceType: instanceType = '' } = described
    const disk = join(folder, id)
    mkdirSync(disk)
    const machine = await bootMachine(await readUserData(client, id), {
      network,
      folder: disk,
      metadata: { cloud: 'aws', options: metadataOf(described) },
    })
    const instance = { id, instanceType, machine }
    instances.push(instance)
    void machine.off.then(async how => {
      if (how === 'powered off' && !closed) await end(id, 'Client.InstanceInitiatedShutdown', 'User initiated')
    })
    return instance
  }

  const look = async (): Promise<void> => {
    for (const described of await listInstances(client)) {
      const { InstanceId: id = '', State: state } = described
      const known = booted.get(id)
      if (known === undefined && state?.Name === 'running') booted.set(id, boot(described))
      else if (known !== undefined && state?.Name === 'terminated') await (await known).machine.cut() // by its manager
    }
  }
  let stopped: () => void = () => {}
  const running = (async () => {
    while (!closed) {
      await look()
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, LOOK_MS)
        stopped = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  })()

  return {
    isolated: network.isolated,
    instances,
    async interrupt({ id, machine }, afterMs) {
      machine.tell({ do: 'interrupt', inSeconds: Math.ceil(afterMs / 1000) })
      await Promise.race([machine.off, new Promise(resolve => setTimeout(resolve, afterMs))])
      await machine.cut()
      await end(id, 'Server.SpotInstanceTermination', 'Server.SpotInstanceTermination')
    },
    async kill({ id, machine }) {
      await machine.cut()
      await end(id, 'Server.SpotInstanceTermination', 'Server.SpotInstanceTermination')
    },
    async close() {
      closed = true
      stopped()
      await running.catch(() => {})
      for (const instance of await Promise.all(booted.values())) await instance.machine.cut()
      await network.close()
      client.destroy()
    },
  }
}

async function listInstances(client: EC2Client): Promise<Instance[]> {
  const found: Instance[] = []
  for await (const { Reservations = [] } of paginateDescribeInstances({ client }, {})) {
    for (const { Instances = [] } of Reservations) found.push(...Instances)
  }
  return found
}

/** As cloud-init does: what is compressed is unpacked. */
async function readUserData(client: EC2Client, id: string): Promise<Buffer> {
  const answer = await client.send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: 'userData' }))
  const data = Buffer.from(answer.UserData?.Value ?? '', 'base64')
  return data[0] === 0x1f && data[1] === 0x8b ? gunzipSync(data) : data
}

function metadataOf({
  InstanceId: instanceId,
  InstanceType: instanceType,
  Placement,
  Tags = [],
  InstanceLifecycle,
}: Instance) {
  return {
    instanceId,
    instanceType,
    zone: Placement?.AvailabilityZone,
    spot: InstanceLifecycle === 'spot',
    tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
    credentials: CREDENTIALS,
  }
}
