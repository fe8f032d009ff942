// One moto with the EC2 pools of a test file, and launch plans for them.
import assert from 'node:assert/strict'
import { DescribeInstancesCommand, type EC2Client, type Instance as Ec2Instance } from '@aws-sdk/client-ec2'
import { AwsPool } from '../../../infra/aws/pool.ts'
import type { LaunchChoice, LaunchPlan, Offer, Pool } from '../../../infra/provider.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { makeLaunchTemplate, motoClient, motoSettings, type TemplateOptions } from './moto-stack.ts'

export const OFFER: Offer = {
  instanceType: 'c5.large',
  vcpuCount: 2,
  memoryGib: 4,
  architecture: 'X86_64',
  cpuFamily: undefined,
  cpuRank: 0,
  localSsdGib: 0,
  spotSupported: true,
  zone: 'us-east-1a',
  bootDiskType: 'gp3',
  priceUsdPerHour: 0.0416,
}

export interface PoolBench {
  readonly moto: Moto
  readonly client: EC2Client
  /** A job of its own, with a launch template. */
  openJob(template?: TemplateOptions): Promise<{ readonly jobId: string; readonly pool: AwsPool }>
  openPool(jobId: string, options?: { readonly pageSize?: number; readonly pauseMs?: number }): AwsPool
  /** The first VM of the pool, as EC2 tells of it. */
  instanceOf(pool: Pool): Promise<Ec2Instance>
  close(): Promise<void>
}

let count = 0

export async function openPoolBench(): Promise<PoolBench> {
  const moto = await startMoto()
  const client = motoClient(moto)
  const pools: AwsPool[] = []
  const openPool: PoolBench['openPool'] = (jobId, options) => {
    const pool = new AwsPool(motoSettings(moto), { jobId }, options)
    pools.push(pool)
    return pool
  }
  return {
    moto,
    client,
    openPool,
    async openJob(template) {
      const jobId = `pool-${++count}`
      await makeLaunchTemplate(client, jobId, template)
      return { jobId, pool: openPool(jobId) }
    },
    async instanceOf(pool) {
      const [vm] = await pool.list()
      const answer = await client.send(new DescribeInstancesCommand({ InstanceIds: [vm?.id ?? 'none'] }))
      const instance = answer.Reservations?.[0]?.Instances?.[0]
      assert.ok(instance !== undefined)
      return instance
    },
    async close() {
      for (const pool of pools) pool.close()
      client.destroy()
      await moto.close()
    },
  }
}

export function plan(overrides: Partial<LaunchPlan> = {}): LaunchPlan {
  return { token: `token-${++count}`, vmCount: 1, spot: true, choices: [choice()], ...overrides }
}

export function choice(offer: Partial<Offer> = {}, { tasksPerVm = 1, bootDiskGib = 10 } = {}): LaunchChoice {
  return { offer: { ...OFFER, ...offer }, bootDiskGib, tasksPerVm }
}
