// What the stack of a job makes on EC2 and the pool needs, made on moto with the SDK: a launch template, subnets.
import { CreateLaunchTemplateCommand, EC2Client } from '@aws-sdk/client-ec2'
import { awsClientConfig } from '../../../infra/aws/connection.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import type { Moto } from '../../support/moto.ts'

const MOTO_REGION = 'us-east-1'
const IMAGE = 'ami-12c6146b' // one that moto knows

export interface TemplateOptions {
  /** Ids with commas between them. */
  readonly subnets?: string
}

export function motoSettings({ endpoint }: Pick<Moto, 'endpoint'>): ProviderSettings {
  return {
    region: MOTO_REGION,
    accessKey: 'test',
    secretKey: 'test',
    env: { AWS_ENDPOINT_URL: endpoint, AWS_EC2_METADATA_DISABLED: 'true' },
  }
}

export function motoClient(moto: Pick<Moto, 'endpoint'>): EC2Client {
  return new EC2Client(awsClientConfig(motoSettings(moto), 'EC2'))
}

export async function makeLaunchTemplate(
  client: EC2Client,
  jobId: string,
  { subnets }: TemplateOptions = {},
): Promise<void> {
  await client.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: `rmscr-${jobId}`,
      LaunchTemplateData: {
        ImageId: IMAGE,
        InstanceInitiatedShutdownBehavior: 'terminate',
        BlockDeviceMappings: [
          {
            DeviceName: '/dev/xvda',
            Ebs: { VolumeSize: 10, VolumeType: 'gp3', DeleteOnTermination: true, Encrypted: true },
          },
        ],
        MetadataOptions: { HttpTokens: 'required', InstanceMetadataTags: 'enabled', HttpPutResponseHopLimit: 2 },
      },
      ...(subnets === undefined
        ? undefined
        : {
            TagSpecifications: [
              { ResourceType: 'launch-template', Tags: [{ Key: 'cloud-tasks:subnets', Value: subnets }] },
            ],
          }),
    }),
  )
}
