import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../parts/cache-folder.ts'
import { runGo } from './go.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** One Go module per tool, because their dependencies disagree. */
const modules = join(import.meta.dirname, 'tools')
const kubernetes = '1.36.3'

interface Binary {
  name: string
  module: string
  package: string
  /** Version variables that the linker sets: without them the API server says that it is v0.0.0. */
  variables: Readonly<Record<string, string>>
  tags?: string
}

const kubernetesVariables = Object.fromEntries(
  ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((version) => [
    [`${version}.gitVersion`, `v${kubernetes}`],
    [`${version}.gitMajor`, '1'],
    [`${version}.gitMinor`, '36'],
    [`${version}.gitTreeState`, 'clean'],
    [`${version}.buildDate`, '2026-07-22T18:07:38Z'],
  ]),
)

const binaries: readonly Binary[] = [
  ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'].map((name) => ({
    name,
    module: 'k8s',
    package: `k8s.io/kubernetes/cmd/${name}`,
    variables: kubernetesVariables,
    tags: 'selinux,notest,grpcnotrace',
  })),
  { name: 'etcd', module: 'etcd', package: 'go.etcd.io/etcd/server/v3', variables: {} },
  {
    name: 'kwok',
    module: 'kwok',
    package: 'sigs.k8s.io/kwok/cmd/kwok',
    variables: { 'sigs.k8s.io/kwok/pkg/consts.Version': 'v0.8.0' },
  },
  {
    name: 'helm',
    module: 'helm',
    package: 'helm.sh/helm/v4/cmd/helm',
    variables: { 'helm.sh/helm/v4/internal/version.version': 'v4.3.1' },
  },
]

/** The folder of etcd, the control plane, kubectl, kwok and helm, or undefined when they were not built yet. */
export function findKubernetes(env: Environment): string | undefined {
  const folder = binariesFolder(env)
  return existsSync(folder) ? folder : undefined
}

/** Builds them from the Go module proxy: a quarter of an hour on two cores, once for each version. Throws when it cannot. */
export async function installKubernetes(env: Environment = process.env): Promise<void> {
  const folder = binariesFolder(env)
  await mkdir(cacheFolder(env), { recursive: true })
  // Renamed when it is whole: a folder that is there needs no other stamp.
  const fresh = await mkdtemp(`${folder}.`)
  try {
    for (const binary of binaries) {
      process.stdout.write(`  building ${binary.name} ...\n`)
      await build(binary, join(fresh, binary.name))
    }
    await writeFile(join(fresh, 'kwok-stages.yaml'), await kwokStages())
    await rename(fresh, folder)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

function binariesFolder(env: Environment): string {
  const stamp = createHash('sha256').update(JSON.stringify(binaries))
  for (const module of readdirSync(modules).toSorted()) {
    for (const file of ['go.mod', 'go.sum']) stamp.update(readFileSync(join(modules, module, file)))
  }
  return join(cacheFolder(env), `kubernetes-${kubernetes}-${stamp.digest('hex').slice(0, 12)}`)
}

async function build({ module, package: path, variables, tags }: Binary, output: string) {
  const sets = Object.entries(variables).map(([name, value]) => `-X ${name}=${value}`)
  const ldflags = ['-s -w', ...sets].join(' ')
  const flags = ['-trimpath', '-buildvcs=false', '-ldflags', ldflags, ...(tags ? ['-tags', tags] : [])]
  await runGo(['build', ...flags, '-o', output, path], join(modules, module))
}

/** kwok knows of itself not even that a pod becomes Ready: its module ships that as configuration. */
async function kwokStages(): Promise<string> {
  const module = join(modules, 'kwok')
  const folder = await runGo(['list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok'], module)
  const stages = [
    'node/fast/node-initialize.yaml',
    'node/heartbeat-with-lease/node-heartbeat-with-lease.yaml',
    'pod/fast/pod-ready.yaml',
    'pod/fast/pod-complete.yaml',
    'pod/fast/pod-delete.yaml',
  ].map((stage) => readFile(join(folder.trim(), 'kustomize/stage', stage), 'utf8'))
  return (await Promise.all(stages)).join('\n---\n')
}
