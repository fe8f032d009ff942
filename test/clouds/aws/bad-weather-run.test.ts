// What may pass ends no run: a lack of capacity, a quota, a token that has expired. What ends one is mended, and it goes on.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import type { RunningCli } from '../../support/job-folder.ts'
import { until } from '../../support/processes.ts'
import { withTools } from '../../support/test-tools.ts'
import {
  denied,
  EXPIRED,
  expectSentence,
  openWeatherBench,
  RUN,
  STACK_TRACE,
  TASK_COUNT,
  type WeatherBench,
} from './bad-weather-bench.ts'
import { withCdk } from './template.ts'

const LIMIT_MS = 180_000

withTools(() =>
  withCdk(() => {
    describe('aws: a job in bad weather', { timeout: 2 * LIMIT_MS }, () => {
      let bench: WeatherBench
      before(async () => {
        bench = await openWeatherBench()
      })
      after(() => bench.close())
      afterEach(() => bench.refuse({}))

      it('leaves the earlier job as it is when its stack may not be made, and goes on when it may', {
        timeout: LIMIT_MS,
      }, async () => {
        const job = bench.openFolder('unstacked')
        try {
          bench.refuse({ CreateStack: denied('cloudformation:CreateStack') })
          expectSentence(await job.run(...RUN), [
            /Deploying job "unstacked" in us-east-1 failed: AWS denied cloudformation:CreateStack/,
            /Allow it in a policy/,
          ])
          assert.equal(existsSync(job.dbFile), false)
          assert.equal(await bench.depthOf('unstacked'), undefined)
          bench.refuse({ CreateFleet: denied('ec2:CreateFleet', 'UnauthorizedOperation') })
          const run = job.start(...RUN)
          const said = collected(run)
          await until(
            'the refusal',
            () => /ERROR - VMs could not be started.*AWS denied ec2:CreateFleet/.test(said()),
            {
              withinMs: 60_000,
            },
          )
          bench.refuse({})
          await until('a VM is started', () => /Started 1 spot VMs c5\.large/.test(said()), { withinMs: 60_000 })
          bench.startAgent(job)
          const { exitCode, stderr } = await run.ended
          assert.equal(exitCode, 0, stderr)
          assert.equal(job.count("status = 'completed'"), TASK_COUNT)
        } finally {
          await job.remove()
        }
      })

      it('tells once of no capacity, no quota and an expired token, and goes on when it can', {
        timeout: LIMIT_MS,
      }, async () => {
        const job = bench.openFolder('patient')
        await bench.moto.setCapacity({
          'c5.large us-east-1a': 'MaxSpotInstanceCountExceeded',
          'm5.large us-east-1a': 0,
        })
        const untouched = async () => {
          assert.equal(job.count("status = 'in_queue_original'"), TASK_COUNT)
          assert.equal(await bench.depthOf('patient'), TASK_COUNT)
        }
        try {
          const run = job.start(...RUN)
          const said = collected(run)
          await until('both places are refused', () => /No VM m5\.large/.test(said()), { withinMs: 60_000 })
          assert.match(said(), /WARNING - No VM c5\.large in us-east-1a \(quota\): MaxSpotInstanceCountExceeded/)
          assert.match(said(), /WARNING - No VM m5\.large in us-east-1a \(capacity\): InsufficientInstanceCapacity/)
          await untouched()
          const askedCount = bench.countOf('CreateFleet')

          bench.refuse({ '*': EXPIRED })
          const lookCount = bench.countOf('DescribeInstances')
          await until('four looks in vain', () => bench.countOf('DescribeInstances') >= lookCount + 4)
          bench.refuse({})
          assert.equal(said().match(/could not be listed.* credentials have expired\. Renew them/g)?.length, 1, said())
          assert.equal(run.child.exitCode, null, 'the run goes on')
          await untouched()

          await bench.moto.setCapacity({ 'm5.large us-east-1a': 5 })
          await until('a VM is started', () => /Started 1 spot VMs m5\.large/.test(said()), { withinMs: 90_000 })
          assert.ok(bench.countOf('CreateFleet') >= askedCount + 2, 'both places were tried again')
          assert.equal(said().match(/No VM c5\.large/g)?.length, 1, said())
          bench.startAgent(job)
          const { exitCode, stderr } = await run.ended
          assert.equal(exitCode, 0, stderr)
          assert.equal(job.count("status = 'completed'"), TASK_COUNT)
          assert.doesNotMatch(stderr, STACK_TRACE)
          assert.equal(await bench.depthOf('patient'), undefined)
          assert.ok((await bench.vmsOf('patient')).every(({ state }) => state === 'terminated'))
        } finally {
          await job.remove()
        }
      })
    })
  }),
)

function collected({ child }: RunningCli): () => string {
  let text = ''
  child.stderr?.on('data', (chunk: string) => {
    text += chunk
  })
  return () => text
}
