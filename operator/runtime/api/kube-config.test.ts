import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { loadKubeConfig } from './kube-config.ts'

afterEach(() => vi.unstubAllEnvs())

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'carillon-kubeconfig-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'config'), text)
  return join(folder, 'config')
}

it.each<[string, string | undefined, string]>([
  ['there is no file', '/nowhere/config', 'KUBECONFIG: there is no file /nowhere/config'],
  ['the file is something else', '{', 'KUBECONFIG: the file is not a kubeconfig'],
  [
    'the file names no cluster',
    'apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\n',
    'KUBECONFIG: the current context of the file names no cluster',
  ],
  [
    'none is set outside a cluster',
    undefined,
    'KUBECONFIG: must be set outside a cluster: the path of a kubeconfig',
  ],
])('says so in one line when %s', (_what, given, message) => {
  vi.stubEnv('KUBERNETES_SERVICE_HOST', undefined)
  const path = given?.startsWith('/') === false ? fileWith(given) : given
  expect(() => loadKubeConfig(path)).toThrow(message)
})

it('takes the account of its pod in a cluster, but not before a kubeconfig that is given', () => {
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '10.0.0.1')
  vi.stubEnv('KUBERNETES_SERVICE_PORT', '443')
  expect(loadKubeConfig(undefined).getCurrentCluster()?.server).toBe('https://10.0.0.1:443')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://example.com' } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  }
  const path = fileWith(JSON.stringify(config))
  expect(loadKubeConfig(path).getCurrentCluster()?.server).toBe('https://example.com')
})
