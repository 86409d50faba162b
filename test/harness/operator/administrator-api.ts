import { systemClock as clock } from '../../../core/clock.ts'
import { Api } from '../../../operator/runtime/api/api.ts'
import { Connection } from '../../../operator/runtime/api/connection.ts'
import { loadKubeConfig } from '../../../operator/runtime/api/kube-config.ts'
import type { ControlPlane } from '../kubernetes/control-plane.ts'

/** The operator's own client of the API server, with the rights of the cluster's administrator. */
export function openAdministratorApi({ kubeconfig }: Pick<ControlPlane, 'kubeconfig'>): {
  api: Api
  close: () => Promise<void>
} {
  const connection = new Connection(loadKubeConfig(kubeconfig), clock)
  return { api: new Api(connection), close: () => connection.close() }
}
