// Builds the serverless manager of each cloud into one file that needs no others: dist/serverless/<cloud>/manager.mjs.
import { rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build, type Plugin } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')

const UNUSED_PARTS: readonly string[] = ['./objects.ts', './stack-deployer.ts'] // both are loaded when they are used

// Some packages still load Node's modules with require, and ask where they are.
const OLD_MODULES = [
  "import { createRequire } from 'node:module'",
  'const require = createRequire(import.meta.url)',
  'const { filename: __filename, dirname: __dirname } = import.meta',
  '',
].join(';')

await buildServerless('aws', 'manager/serverless/aws-lambda.ts')
await buildServerless('gcp', 'manager/serverless/gcp-cloud-run.ts')

async function buildServerless(cloud: string, entry: string): Promise<void> {
  const folder = join(ROOT, 'dist', 'serverless', cloud)
  rmSync(folder, { recursive: true, force: true })
  await build({
    entryPoints: [join(ROOT, entry)],
    outfile: join(folder, 'manager.mjs'),
    bundle: true,
    minify: true,
    keepNames: true, // errors are told apart by their names
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: OLD_MODULES },
    conditions: ['cloud-tasks-source'],
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [onlyCloud(cloud)],
  })
}

/** The adapters of other clouds are left out, and of this one the parts that look after no VMs; their SDKs with them. */
function onlyCloud(cloud: string): Plugin {
  const opener = join('infra', 'open-provider.ts')
  return {
    name: 'only one cloud',
    setup(builder) {
      builder.onResolve({ filter: /^\.\// }, ({ path, importer, kind }) => {
        const otherCloud = importer.endsWith(opener) && path.endsWith('/index.ts') && path !== `./${cloud}/index.ts`
        const otherPart = dirname(importer) === join(ROOT, 'infra', cloud) && UNUSED_PARTS.includes(path)
        if (!otherCloud && !otherPart) return undefined
        if (kind !== 'dynamic-import')
          return { errors: [{ text: `${path} can be left out only if it is imported when used` }] }
        return { path: join(dirname(importer), path), namespace: 'left-out' }
      })
      builder.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
        contents: `throw new Error(${JSON.stringify(`${relative(ROOT, path)} is not in this bundle.`)})`,
      }))
    },
  }
}
