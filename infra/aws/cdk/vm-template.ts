// What every VM of a job starts from: image, script, disk, role and network. Types and zones are chosen at each launch.
import { CfnLaunchTemplate } from 'aws-cdk-lib/aws-ec2'
import type { CfnInstanceProfile } from 'aws-cdk-lib/aws-iam'
import { ParameterValueType, StringParameter } from 'aws-cdk-lib/aws-ssm'
import type { Construct } from 'constructs'
import { UserError } from '../../../core/errors.ts'
import type { BootDiskNeeds, JobConfig } from '../../../core/job-config.ts'
import { vmNamePrefix } from '../../../core/names.ts'
import { JOB_TAG, ownerTags, SUBNET_JOB_TAG, TEMPLATE_SUBNETS_TAG } from '../vm-tags.ts'
import type { Network } from './network.ts'
import { userDataOf } from './user-data.ts'

export interface VmTemplateParts {
  readonly jobId: string
  readonly config: JobConfig
  readonly script: string
  readonly profile: CfnInstanceProfile
  readonly network: Network
  /** `ami-…` or a path of SSM; wins over the job file. */
  readonly image?: string | undefined
  readonly rootDeviceName?: string | undefined
}

export interface VmTemplate {
  readonly template: CfnLaunchTemplate
  readonly imageId: string
}

// A script may run the agent in a container, which is one hop further from the metadata service than the VM.
const METADATA_HOPS = 2

export function makeVmTemplate(scope: Construct, parts: VmTemplateParts): VmTemplate {
  const { jobId, config, script, profile, network } = parts
  const image = parts.image ?? config.boot.image ?? ubuntuParameter(config)
  const imageId = imageIdOf(scope, image)
  const vmTags = ownerTags(jobId).map(({ Key = '', Value = '' }) => ({ key: Key, value: Value }))
  const template = new CfnLaunchTemplate(scope, 'LaunchTemplate', {
    launchTemplateName: vmNamePrefix(jobId),
    launchTemplateData: {
      imageId,
      userData: userDataOf(script),
      iamInstanceProfile: { arn: profile.attrArn },
      securityGroupIds: [...network.securityGroupIds],
      instanceInitiatedShutdownBehavior: 'terminate', // a VM that powers itself off costs nothing any more
      metadataOptions: {
        httpEndpoint: 'enabled',
        httpTokens: 'required',
        httpPutResponseHopLimit: METADATA_HOPS,
        instanceMetadataTags: 'enabled', // they tell a VM what it is: see boot-facts.ts
      },
      blockDeviceMappings: [
        { deviceName: parts.rootDeviceName ?? rootDeviceOf(image), ebs: bootDisk(config.bootDisk) },
      ],
      tagSpecifications: [
        { resourceType: 'instance', tags: vmTags },
        { resourceType: 'volume', tags: vmTags },
      ],
    },
    tagSpecifications: [
      {
        resourceType: 'launch-template',
        tags: [
          { key: SUBNET_JOB_TAG, value: jobId },
          { key: JOB_TAG, value: jobId },
          ...(network.borrowed ? [{ key: TEMPLATE_SUBNETS_TAG, value: network.subnetIds.join(',') }] : []),
        ],
      },
    ],
  })
  return { template, imageId }
}

function imageIdOf(scope: Construct, image: string): string {
  if (/^ami-[0-9a-f]+$/.test(image)) return image
  const path = image.replace(/^resolve:ssm:/, '')
  if (path.startsWith('/')) {
    return StringParameter.valueForTypedStringParameterV2(scope, path, ParameterValueType.AWS_EC2_IMAGE_ID)
  }
  throw new UserError(
    `image "${image}" is neither an id (ami-…) nor a path of SSM (/aws/service/…): a name is looked up by ` +
      '"cloud-tasks deploy", not by the CDK.',
  )
}

/** https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/ */
function ubuntuParameter({ machine }: JobConfig): string {
  const architecture = machine.architecture === 'ARM64' ? 'arm64' : 'amd64'
  return `/aws/service/canonical/ubuntu/server/24.04/stable/current/${architecture}/hvm/ebs-gp3/ami-id`
}

/** A disk under another name than the image's own would be a second one. */
function rootDeviceOf(image: string): string {
  return /ami-amazon-linux|\/aws\/service\/(ecs|eks|bottlerocket)/.test(image) ? '/dev/xvda' : '/dev/sda1'
}

const DISK_TYPES = ['gp3', 'gp2', 'io1', 'io2', 'standard']
const DEFAULT_IOPS = 3000 // io1 and io2 have to be told

function bootDisk({ types, totalGib, iops, throughputMibPerSecond }: BootDiskNeeds) {
  const type = types?.[0] ?? 'gp3'
  if (!DISK_TYPES.includes(type)) {
    throw new UserError(`boot_disk_types: "${type}" is no boot disk of AWS; choose of ${DISK_TYPES.join(', ')}.`)
  }
  const provisioned = type === 'io1' || type === 'io2'
  return {
    volumeType: type,
    volumeSize: Math.ceil(totalGib),
    encrypted: true,
    deleteOnTermination: true,
    ...(provisioned && { iops: iops ?? DEFAULT_IOPS }),
    ...(type === 'gp3' && iops !== undefined && { iops }),
    ...(type === 'gp3' && throughputMibPerSecond !== undefined && { throughput: throughputMibPerSecond }),
  }
}
