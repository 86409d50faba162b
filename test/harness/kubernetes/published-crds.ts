import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { cacheFolder } from '../parts/cache-folder.ts'
import type { ControlPlane } from './control-plane.ts'
import { runGo } from './go.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The files in the folder of the part `crds`: kinds of others that the operator writes, as their projects publish them. */
export const publishedCrds = {
  scaledObjects: 'keda.sh_scaledobjects.yaml',
  triggerAuthentications: 'keda.sh_triggerauthentications.yaml',
  podMonitors: 'monitoring.coreos.com_podmonitors.yaml',
} as const
/** One more file there, of KEDA: what each of its scalers takes, in JSON. */
export const publishedScalers = 'scalers-schema.json'

/** The Go modules that hold them. */
const sources = [
  {
    module: 'github.com/kedacore/keda/v2@v2.21.0',
    sum: 'h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=',
    files: [
      `config/crd/bases/${publishedCrds.scaledObjects}`,
      `config/crd/bases/${publishedCrds.triggerAuthentications}`,
      `schema/generated/${publishedScalers}`,
    ],
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.94.1',
    sum: 'h1:QEIb2wenPH+SdMN1xMf8l4Pmj00YYXXI6HlbLlQWkww=',
    files: [`example/prometheus-operator-crd/${publishedCrds.podMonitors}`],
  },
]

/** The folder of the CRDs, or undefined when they were not fetched yet. */
export function findPublishedCrds(env: Environment): string | undefined {
  const folder = crdsFolder(env)
  return existsSync(folder) ? folder : undefined
}

/** Fetches them from the Go module proxy, 6 MB. Throws when it cannot, or when a module is not the one that is pinned. */
export async function installPublishedCrds(env: Environment = process.env): Promise<void> {
  const folder = crdsFolder(env)
  await mkdir(cacheFolder(env), { recursive: true })
  // Renamed when it is whole: a folder that is there needs no other stamp.
  const fresh = await mkdtemp(`${folder}.`)
  try {
    for (const source of sources) {
      const from = await download(source, fresh)
      for (const file of source.files) await copyFile(join(from, file), join(fresh, basename(file)))
    }
    await rename(fresh, folder)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

/** Makes a cluster know some of these kinds. Throws what kubectl says when it cannot. */
export async function installCrds(
  control: Pick<ControlPlane, 'run'>,
  folder: string,
  ...files: (typeof publishedCrds)[keyof typeof publishedCrds][]
): Promise<void> {
  const names = files.flatMap((file) => ['-f', join(folder, file)])
  for (const command of [['apply'], ['wait', '--for=condition=Established', '--timeout=60s']])
    await control.run([...command, ...names])
}

/** The folder of a module, once it is on this machine. */
async function download({ module, sum }: (typeof sources)[number], cwd: string): Promise<string> {
  const answer = JSON.parse(await runGo(['mod', 'download', '-json', module], cwd)) as Record<string, string>
  if (answer['Sum'] !== sum) throw new Error(`${module} is not what is pinned: ${answer['Sum']}`)
  return answer['Dir']!
}

function crdsFolder(env: Environment): string {
  const stamp = createHash('sha256').update(JSON.stringify(sources)).digest('hex').slice(0, 12)
  return join(cacheFolder(env), `crds-${stamp}`)
}
