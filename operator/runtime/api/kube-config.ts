import { existsSync } from 'node:fs'
import { KubeConfig } from '@kubernetes/client-node'
import { StartRefused } from '../../../core/settings/start-refused.ts'

/**
 * Where the cluster is and who we are there: the kubeconfig that is given, else the service account of the pod. (The client library's own default
 * goes on to http://localhost:8080 when there is neither.) Throws StartRefused with one line.
 */
export function loadKubeConfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig()
  if (path !== undefined) {
    if (!existsSync(path)) throw new StartRefused(`KUBECONFIG: there is no file ${path}`, 2)
    try {
      config.loadFromFile(path)
    } catch (error) {
      throw new StartRefused('KUBECONFIG: the file is not a kubeconfig', 2, { cause: error })
    }
  } else if (process.env['KUBERNETES_SERVICE_HOST'] !== undefined) {
    config.loadFromCluster()
  }
  if (config.getCurrentCluster() === null)
    throw new StartRefused(
      path === undefined
        ? 'KUBECONFIG: must be set outside a cluster: the path of a kubeconfig'
        : 'KUBECONFIG: the current context of the file names no cluster',
      2,
    )
  return config
}
