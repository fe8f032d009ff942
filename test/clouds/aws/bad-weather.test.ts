// What goes wrong on AWS, as a person at the command line meets it: one sentence that says what, where and what to do; the
// right exit code; queue and database as they were.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { withTools } from '../../support/test-tools.ts'
import {
  denied,
  EXPIRED,
  expectSentence,
  LOAD,
  openWeatherBench,
  type Refusals,
  RUN,
  STACK_TRACE,
  TASK_COUNT,
  type WeatherBench,
} from './bad-weather-bench.ts'
import { withCdk } from './template.ts'

const LIMIT_MS = 60_000
const CDK_PACKAGES = join(import.meta.dirname, '../../../infra/aws/node_modules')
const DEPLOY = ['deploy', '--config', 'job.yml', '--no-manager'] as const
const NO_KEYS = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }

interface Case {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** By action; `*` = all. */
  readonly refused?: Refusals
  readonly run?: readonly string[]
  readonly says: readonly RegExp[]
}

const NO_CREDENTIALS = [/no AWS credentials were found/, /aws configure.*AWS_ACCESS_KEY_ID.*access_key/]
const CASES: readonly Case[] = [
  ...[LOAD, RUN, ['requeue', '--config', 'job.yml'], ['delete_queue', '--config', 'job.yml', '--force']].map(
    command => ({ name: `missing credentials of ${command[0]}`, command, env: NO_KEYS, says: NO_CREDENTIALS }),
  ),
  { name: 'missing credentials of deploy', command: DEPLOY, env: NO_KEYS, says: NO_CREDENTIALS },
  {
    name: 'half of the credentials',
    command: [...LOAD, '--access-key', 'AKIA'],
    env: NO_KEYS,
    says: [/"access_key" is set but "secret_key" is not: set both/],
  },
  {
    name: 'a profile that does not exist',
    command: LOAD,
    env: { ...NO_KEYS, AWS_PROFILE: 'nobody' },
    says: [/no AWS credentials were found/, /AWS_PROFILE, if it is set/],
  },
  {
    name: 'credentials that AWS does not know',
    command: LOAD,
    refused: { '*': { status: 403, code: 'InvalidClientTokenId', message: 'The security token is invalid.' } },
    says: [/does not accept the credentials/, /Check the access key/],
  },
  {
    name: 'a word that is no region',
    command: [...RUN, '--region', 'us east'],
    says: [/"us east" is not the name of an AWS region. Give one such as us-east-1/],
  },
  {
    name: 'a region that does not exist',
    command: [...RUN, '--region', 'mars-west-1'],
    env: { AWS_ENDPOINT_URL: 'http://sqs.mars-west-1.invalid' },
    says: [/in mars-west-1 failed: the address of the AWS service does not resolve/, /Check the region/],
  },
  {
    name: 'queues that may not be looked at',
    command: LOAD,
    refused: { GetQueueUrl: denied('sqs:getqueueurl'), GetQueueAttributes: denied('sqs:getqueueattributes') },
    says: [/Counting queue "job".* AWS denied sqs:getqueue/, /Allow it in a policy/],
  },
  {
    name: 'VMs that may not be listed',
    command: RUN,
    refused: { DescribeInstances: denied('ec2:DescribeInstances', 'UnauthorizedOperation') },
    says: [
      /Listing the VMs of job "job" in us-east-1 failed: AWS denied ec2:DescribeInstances/,
      /Allow it in a policy/,
    ],
  },
  {
    name: 'a stack that may not be looked at',
    command: DEPLOY,
    refused: { DescribeStacks: denied('cloudformation:DescribeStacks') },
    says: [/Deploying job "job" in us-east-1 failed: AWS denied cloudformation:DescribeStacks/, /Allow it in a policy/],
  },
  {
    name: 'credentials that have expired',
    command: RUN,
    refused: { '*': EXPIRED },
    says: [/the AWS credentials have expired. Renew them/],
  },
  {
    name: 'no bucket for the manager of a deployed job',
    command: ['deploy', '--config', 'job.yml'],
    says: [/The manager of the job must lie where AWS can fetch it: set bucket under aws:/],
  },
  {
    name: 'no bucket for the task of a job',
    command: DEPLOY,
    run: ['task: ./task.ts'],
    says: [/set bucket under aws:/],
  },
  {
    name: 'queues that exist outside of the stack',
    command: DEPLOY,
    says: [
      /Queue "job" exists in us-east-1 already, and is not of this job's stack: delete it \(.*\), or give the job/,
    ],
  },
]

withTools(() =>
  withCdk(() => {
    describe('aws: bad weather at the command line', { timeout: LIMIT_MS * CASES.length }, () => {
      let bench: WeatherBench
      /** Of an earlier job with a full queue, neither of which a failing command may harm. */
      let database: Buffer
      before(async () => {
        bench = await openWeatherBench()
        const job = bench.openFolder('job')
        const { exitCode, stderr } = await job.run(...LOAD)
        assert.equal(exitCode, 0, stderr)
        database = readFileSync(job.dbFile)
        await job.remove()
      })
      after(() => bench.close())
      afterEach(() => bench.refuse({}))

      for (const { name, command, env = {}, refused = {}, run, says } of CASES) {
        it(`${name}: one sentence, exit code 1, nothing touched`, { timeout: LIMIT_MS }, async () => {
          const job = bench.openFolder('job', { env, ...(run && { run }) })
          try {
            job.write('job.db', database)
            bench.refuse(refused)
            expectSentence(await job.run(...command), says)
            assert.deepEqual(readFileSync(job.dbFile), database, 'the database is as it was')
            assert.equal(existsSync(`${job.dbFile}.loading`), false)
            assert.equal(await bench.depthOf('job'), TASK_COUNT, 'the queue is as it was')
            assert.deepEqual(await bench.vmsOf('job'), [])
          } finally {
            await job.remove()
          }
        })
      }

      it('a doctor without credentials finds ill what needs them', { timeout: LIMIT_MS }, async () => {
        const job = bench.openFolder('ill', { env: NO_KEYS })
        try {
          const { exitCode, stdout, stderr } = await job.run('doctor', '--config', 'job.yml', '--json')
          assert.equal(exitCode, 1, stderr)
          const findings: { check: string; ok: boolean; detail: string }[] = JSON.parse(stdout)
          for (const name of ['queues', 'VMs', 'offers', 'clock']) {
            const finding = findings.find(({ check }) => check === name)
            assert.equal(finding?.ok, false, name)
            assert.match(finding.detail, /no AWS credentials were found/)
          }
          assert.doesNotMatch(stdout + stderr, STACK_TRACE)
        } finally {
          await job.remove()
        }
      })

      it('no packages of the CDK: one sentence with the command that installs them', {
        timeout: LIMIT_MS,
      }, async () => {
        const job = bench.openFolder('bare')
        try {
          expectSentence(await job.runBehind(`mount -t tmpfs tmpfs '${CDK_PACKAGES}'`, ...DEPLOY), [
            /The packages of the AWS CDK are not installed: run "npm ci --prefix infra\/aws"/,
          ])
          assert.equal(await bench.depthOf('bare'), undefined)
        } finally {
          await job.remove()
        }
      })
    })
  }),
)
