// Who may do what in the stack of a job on Google's cloud: everything that is granted, and to whom; and that each word of it is
// one that Google knows.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobFile } from '../../../core/job-file.ts'
import { withPulumi } from '../../support/pulumi-packages.ts'
import { type Declared, type DeclaredStack, declaredBy } from './declared-stack.ts'

const JOB: JobFile = {
  provider: 'gcp',
  gcp: { job_id: 'my-job', project_id: 'my-project', region: 'us-central1', bucket: 'results' },
  run: {
    startup_script: 'true',
    use_spot: true,
    max_total_cost: 50,
    secrets: { TOKEN: 'token', OTHER: 'projects/theirs/secrets/other/versions/3' },
  },
}

/** Words that Google's APIs take, by the input that holds them. */
const ALLOWED: Readonly<Record<string, readonly unknown[]>> = {
  role: [
    'roles/iam.serviceAccountUser',
    'roles/logging.logWriter',
    'roles/pubsub.publisher',
    'roles/pubsub.subscriber',
    'roles/pubsub.viewer',
    'roles/run.invoker',
    'roles/secretmanager.secretAccessor',
    'roles/storage.objectUser',
    'roles/storage.objectViewer',
    'roles/cloudTasksEndsVms_my_job',
    'roles/cloudTasksManages_my_job',
  ],
  provisioningModel: ['SPOT', 'STANDARD'],
  onHostMaintenance: ['MIGRATE', 'TERMINATE'],
  instanceTerminationAction: ['DELETE', 'STOP'],
  networkTier: ['PREMIUM', 'STANDARD'],
  diskType: ['pd-standard', 'pd-balanced', 'pd-ssd', 'pd-extreme', 'hyperdisk-balanced'],
  ingress: ['INGRESS_TRAFFIC_ALL', 'INGRESS_TRAFFIC_INTERNAL_ONLY', 'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER'],
  executionEnvironment: ['EXECUTION_ENVIRONMENT_GEN1', 'EXECUTION_ENVIRONMENT_GEN2'],
  publicAccessPrevention: ['enforced', 'inherited'],
  httpMethod: ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'],
  combiner: ['AND', 'OR', 'AND_WITH_MATCHING_RESOURCE'],
  comparison: ['COMPARISON_GT', 'COMPARISON_LT'], // the only two that alerts have
  perSeriesAligner: ['ALIGN_MAX', 'ALIGN_SUM', 'ALIGN_DELTA'],
  mimeType: ['text/markdown'],
}

withPulumi(() => {
  describe('permissions of the stack on Google Cloud', { timeout: 120_000, concurrency: false }, () => {
    it('lets VMs do what an agent does with the queues, objects and secrets of their job, and no more', async () => {
      const stack = await declaredBy({ job: JOB })
      assert.deepEqual(grantsTo(stack, 'ct-my-job-vm@p.iam'), [
        'logging.logWriter on my-project',
        'pubsub.publisher on my-job-dead-topic',
        'pubsub.publisher on my-job-events-topic',
        'pubsub.publisher on my-job-topic',
        'pubsub.subscriber on my-job-subscription',
        'pubsub.viewer on my-job-dead-subscription',
        'pubsub.viewer on my-job-events-subscription',
        'pubsub.viewer on my-job-subscription',
        'secretmanager.secretAccessor on projects/my-project/secrets/token',
        'secretmanager.secretAccessor on projects/theirs/secrets/other',
        'storage.objectUser on results if resource.name.startsWith("projects/_/buckets/results/objects/cloud-tasks/my-job/")',
        'storage.objectViewer on ct-my-project-my-job if resource.name.startsWith("projects/_/buckets/ct-my-project-my-job/objects/programs/")',
        'cloudTasksEndsVms_my_job on my-project if resource.name.extract("/instances/{name}").startsWith("rmscr-my-job-")',
      ])
      assert.deepEqual(stack.inputs('ends-vms').permissions, ['compute.instances.delete'])
    })

    it('lets the manager look, start VMs as the account of the VMs, end those of the job, and write its notes', async () => {
      const stack = await declaredBy({ job: JOB })
      assert.deepEqual(grantsTo(stack, 'ct-my-job-mg@p.iam'), [
        'iam.serviceAccountUser on accounts/ct-my-job-vm',
        'pubsub.viewer on my-job-dead-subscription',
        'pubsub.viewer on my-job-events-subscription',
        'pubsub.viewer on my-job-subscription',
        'storage.objectUser on ct-my-project-my-job if resource.name.startsWith("projects/_/buckets/ct-my-project-my-job/objects/notes/")',
        'storage.objectViewer on ct-my-project-my-job',
        'cloudTasksEndsVms_my_job on my-project if resource.name.extract("/instances/{name}").startsWith("rmscr-my-job-")',
        'cloudTasksManages_my_job on my-project',
      ])
      const { permissions } = stack.inputs('manages')
      const ending = Array.isArray(permissions)
        ? permissions.filter(word => /delete|stop|Iam|owner/i.test(word))
        : ['?']
      assert.deepEqual(ending, [])
      assert.deepEqual(grantsTo(stack, 'ct-my-job-sc@p.iam'), ['run.invoker on cloud-tasks-my-job'])
    })

    it('lets the manager launch as the account that the job names', async () => {
      const stack = await declaredBy({
        job: { ...JOB, gcp: { ...JOB.gcp, worker_service_account: 'new@x.iam', service_account: 'old@x.iam' } },
      })
      assert.equal(
        stack.inputs('manager-launches-as-vm').serviceAccountId,
        'projects/my-project/serviceAccounts/new@x.iam',
      )
      assert.ok(grantsTo(stack, 'new@x.iam').includes('pubsub.subscriber on my-job-subscription'))
      assert.deepEqual(grantsTo(stack, 'old@x.iam'), [])
    })

    it('grants nothing to the public or to whole groups', async () => {
      const members = (await declaredBy({ job: JOB })).all.flatMap(({ inputs }) =>
        'member' in inputs ? [inputs.member] : [],
      )
      assert.ok(members.length > 20)
      assert.deepEqual(
        members.filter(member => !String(member).startsWith('serviceAccount:')),
        [],
      )
    })

    it('says every word as the APIs do', async () => {
      const stacks = [
        await declaredBy({ job: JOB }),
        await declaredBy({ job: { ...JOB, run: { ...JOB.run, use_spot: false, max_instance_lifetime: 60 } } }),
        await declaredBy({ job: { ...JOB, run: { ...JOB.run, boot_disk_types: 'hd-balanced' } } }),
      ]
      const said = stacks.flatMap(({ all }) => all.flatMap(({ inputs }) => wordsIn(inputs)))
      for (const key of Object.keys(ALLOWED))
        assert.ok(
          said.some(([of]) => of === key),
          `nothing says ${key}`,
        )
      assert.deepEqual(
        said.filter(([key, word]) => !ALLOWED[key]?.includes(word)),
        [],
      )
    })

    it('raises alerts for old tasks, dead letters, money, and a manager that fails or has stopped the job', async () => {
      const stack = await declaredBy({ job: JOB, notificationChannels: ['channel-1'], oldestTaskAlertSeconds: 7200 })
      const alerts = stack.ofType('AlertPolicy').map(alertOf)
      assert.deepEqual(alerts.toSorted(), [
        'alert-dead-letters: my-job-dead-subscription num_undelivered_messages > 0',
        'alert-manager-fails: cloud-tasks-my-job request_count > 4',
        'alert-oldest-task: my-job-subscription oldest_unacked_message_age > 7200',
        'alert-spending: cloud-tasks-my-job jsonPayload.spentUsd >= 45',
        'alert-stopped: cloud-tasks-my-job jsonPayload.stopped = true',
      ])
      for (const { inputs } of stack.ofType('AlertPolicy')) assert.deepEqual(inputs.notificationChannels, ['channel-1'])
    })
  })
})

/** What an account is granted: role, resource and condition. */
function grantsTo(stack: DeclaredStack, email: string): string[] {
  const grants = stack.all.filter(({ inputs }) => inputs.member === `serviceAccount:${email}`)
  return grants
    .map(({ inputs }) => {
      const { role, topic, subscription, bucket, secretId, serviceAccountId, name, project, condition } = inputs
      const on = [topic, subscription, bucket, secretId, serviceAccountId, name, project].find(
        part => part !== undefined,
      )
      const when = condition === undefined ? '' : ` if ${Object(condition).expression}`
      return `${String(role).replace(/^roles\//, '')} on ${String(on)}${when}`
    })
    .toSorted((a, b) => Number(a.startsWith('cloudTasks')) - Number(b.startsWith('cloudTasks')) || (a < b ? -1 : 1))
}

function wordsIn(value: unknown): (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'object' ? wordsIn(inner) : key in ALLOWED ? [[key, inner] as const] : [],
  )
}

function alertOf({ name, inputs }: Declared): string {
  const [condition] = Array.isArray(inputs.conditions) ? inputs.conditions : []
  const { conditionThreshold: threshold, conditionMatchedLog: log } = Object(condition)
  const filter = String(threshold?.filter ?? log?.filter)
  const what = /(?:subscription_id|service_name) = "([^"]+)"/.exec(filter)?.[1]
  const metric = /\/(\w+)"(?: AND metric|$)/.exec(filter)?.[1]
  const rest = threshold === undefined ? /jsonPayload.*$/.exec(filter)?.[0] : `${metric} > ${threshold.thresholdValue}`
  return `${name}: ${what} ${rest}`
}
