// The effective configuration of a job file written in a test.
import { layerConfig } from '../../core/config-layers.ts'
import { type JobConfig, jobConfigOf } from '../../core/job-config.ts'
import type { JobFile } from '../../core/job-file.ts'

export function jobConfigWith(file: JobFile, folder = '/nowhere'): JobConfig {
  const { provider, values } = layerConfig({ file, commandLine: {}, provider: undefined })
  return jobConfigOf({ provider, values, startupScript: values.startup_script, folder })
}
