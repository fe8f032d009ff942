// Writes job-file.schema.json, which editors read to complete and check job files. Run it after a change of core/config-keys.ts.
import { writeFile } from 'node:fs/promises'
import { jobFileJsonSchema } from '../core/job-file.ts'

const target = new URL('../job-file.schema.json', import.meta.url)
await writeFile(target, `${JSON.stringify(jobFileJsonSchema(), undefined, 2)}\n`)
