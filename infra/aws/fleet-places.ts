// Where a job's VMs can start: the launch template of its stack, its disk, and one subnet a zone. Reads only.
import {
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  type EC2Client,
  type Filter,
  type FleetBlockDeviceMappingRequest,
  type LaunchTemplate,
  paginateDescribeSubnets,
} from '@aws-sdk/client-ec2'
import { UserError } from '../../core/errors.ts'
import { vmNamePrefix } from '../../core/names.ts'
import { awsErrorCode } from './failure.ts'
import { SUBNET_JOB_TAG, TEMPLATE_SUBNETS_TAG } from './vm-tags.ts'

export interface FleetPlaces {
  readonly templateId: string
  /** The disks that the template says, boot disk first; empty = those of its image. */
  readonly disks: readonly FleetBlockDeviceMappingRequest[]
  readonly subnetsByZone: ReadonlyMap<string, string>
}

/** Rejects with a UserError where the job's stack is not there. */
export async function readFleetPlaces(client: EC2Client, jobId: string): Promise<FleetPlaces> {
  const template = await readTemplate(client, jobId)
  const { LaunchTemplateId: templateId } = template
  if (templateId === undefined) throw await notDeployed(client, jobId)
  const [disks, subnetsByZone] = await Promise.all([
    readDisks(client, templateId),
    readSubnets(client, jobId, template),
  ])
  return { templateId, disks, subnetsByZone }
}

async function readTemplate(client: EC2Client, jobId: string): Promise<LaunchTemplate> {
  const command = new DescribeLaunchTemplatesCommand({ LaunchTemplateNames: [vmNamePrefix(jobId)] })
  try {
    const [template] = (await client.send(command)).LaunchTemplates ?? []
    if (template !== undefined) return template
  } catch (error) {
    if (!/^InvalidLaunchTemplate(Name|Id)\.NotFound/.test(awsErrorCode(error))) throw error
  }
  throw await notDeployed(client, jobId)
}

async function notDeployed(client: EC2Client, jobId: string): Promise<UserError> {
  const region = await client.config.region()
  return new UserError(
    `Job "${jobId}" has no stack in ${region}: there is no launch template ${vmNamePrefix(jobId)}. Deploy it first ` +
      '(cloud-tasks deploy).',
  )
}

async function readDisks(client: EC2Client, templateId: string): Promise<FleetBlockDeviceMappingRequest[]> {
  const command = new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateId: templateId, Versions: ['$Latest'] })
  const [version] = (await client.send(command)).LaunchTemplateVersions ?? []
  return (version?.LaunchTemplateData?.BlockDeviceMappings ?? []).filter(({ Ebs }) => Ebs !== undefined)
}

/** Those that the stack made, else those that it was told, else those that every account has. */
async function readSubnets(client: EC2Client, jobId: string, template: LaunchTemplate): Promise<Map<string, string>> {
  const own = await subnetsWhere(client, [{ Name: `tag:${SUBNET_JOB_TAG}`, Values: [jobId] }])
  if (own.size > 0) return own
  const told = template.Tags?.find(({ Key }) => Key === TEMPLATE_SUBNETS_TAG)
    ?.Value?.split(/[\s,]+/)
    .filter(Boolean)
  if (told !== undefined && told.length > 0) return subnetsWhere(client, [{ Name: 'subnet-id', Values: told }])
  return subnetsWhere(client, [{ Name: 'default-for-az', Values: ['true'] }])
}

/** One of each zone, always the same: a launch that is repeated must be the same request, or EC2 refuses its token. */
async function subnetsWhere(client: EC2Client, filters: Filter[]): Promise<Map<string, string>> {
  const chosen = new Map<string, string>()
  for await (const { Subnets = [] } of paginateDescribeSubnets({ client }, { Filters: filters })) {
    for (const { AvailabilityZone: zone, SubnetId: id } of Subnets) {
      if (zone !== undefined && id !== undefined && id < (chosen.get(zone) ?? '~')) chosen.set(zone, id)
    }
  }
  return chosen
}
