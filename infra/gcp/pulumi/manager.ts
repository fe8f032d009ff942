// The serverless manager: a service that looks after the VMs once a minute, what it runs as, and who may call it.
import { Service } from '@pulumi/gcp/cloudrunv2/service.js'
import { ServiceIamMember } from '@pulumi/gcp/cloudrunv2/serviceIamMember.js'
import { Job as SchedulerJob } from '@pulumi/gcp/cloudscheduler/job.js'
import { Account } from '@pulumi/gcp/serviceaccount/account.js'
import { type Input, interpolate } from '@pulumi/pulumi'
import { letManage, type ManagerReach } from './manager-permissions.ts'
import { accountId, type Place, resourceName } from './place.ts'
import type { StoredProgram } from './programs.ts'

export interface ManagerParts extends Omit<ManagerReach, 'email'> {
  readonly packedJob: Input<string>
  readonly program: StoredProgram
}

// Official images of Docker Hub can be run as they are, so nothing is built and no registry has to be cleaned.
const IMAGE = 'docker.io/library/node:24-slim'
const MOUNT = '/stack'
const TIMEOUT_SECONDS = 55 // less than the minute until the next one

export function makeManager(place: Place, { packedJob, program, ...reach }: ManagerParts): Service {
  const { jobId, project, region, parent } = place
  const name = resourceName(jobId)
  const account = (id: string, who: 'mg' | 'sc', displayName: string) =>
    new Account(id, { accountId: accountId(jobId, who), project, displayName }, { parent })
  const manager = account('manager-account', 'mg', `Manager of Cloud Tasks job ${jobId}`)
  const caller = account('schedule-account', 'sc', `Schedule of Cloud Tasks job ${jobId}`)
  const permissions = letManage(place, { ...reach, email: manager.email })

  const service = new Service(
    'manager',
    {
      name,
      project,
      location: region,
      description: `Looks after the VMs of Cloud Tasks job ${jobId}`,
      deletionProtection: false,
      ingress: 'INGRESS_TRAFFIC_INTERNAL_ONLY', // Cloud Scheduler of the same project counts as internal
      template: {
        serviceAccount: manager.email,
        executionEnvironment: 'EXECUTION_ENVIRONMENT_GEN2', // which can mount a bucket
        timeout: `${TIMEOUT_SECONDS}s`,
        maxInstanceRequestConcurrency: 1,
        scaling: { minInstanceCount: 0, maxInstanceCount: 1 },
        containers: [
          {
            image: IMAGE,
            commands: ['node'],
            args: [interpolate`${MOUNT}/${program.object.name}`],
            envs: [
              { name: 'CLOUD_TASKS_JOB', value: packedJob },
              { name: 'CLOUD_TASKS_LOOK_SECONDS', value: String(TIMEOUT_SECONDS) },
              { name: 'GOOGLE_CLOUD_PROJECT', value: project },
            ],
            resources: { limits: { cpu: '1', memory: '1Gi' }, cpuIdle: true },
            volumeMounts: [{ name: 'stack', mountPath: MOUNT }],
          },
        ],
        volumes: [{ name: 'stack', gcs: { bucket: reach.bucket.name, readOnly: true } }],
      },
    },
    { parent, dependsOn: permissions },
  )
  const mayCall = new ServiceIamMember(
    'schedule-calls-manager',
    {
      project,
      location: region,
      name: service.name,
      role: 'roles/run.invoker',
      member: interpolate`serviceAccount:${caller.email}`,
    },
    { parent },
  )
  new SchedulerJob(
    'every-minute',
    {
      name,
      project,
      region,
      description: `A look at the VMs of Cloud Tasks job ${jobId}`,
      schedule: '* * * * *',
      attemptDeadline: `${TIMEOUT_SECONDS}s`,
      retryConfig: { retryCount: 0 }, // the next look comes by itself
      httpTarget: {
        httpMethod: 'POST',
        uri: service.uri,
        oidcToken: { serviceAccountEmail: caller.email, audience: service.uri },
      },
    },
    { parent, dependsOn: [mayCall] },
  )
  return service
}
