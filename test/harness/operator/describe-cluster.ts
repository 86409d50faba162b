import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { Api } from '../../../operator/runtime/api/api.ts'
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts'
import { describePart } from '../parts/describe-part.ts'
import { openAdministratorApi } from './administrator-api.ts'
import { type OperatorCluster, type OperatorClusterOptions, startOperatorCluster } from './operator.ts'

/** A control plane, and the administrator's way in. */
export type ApiCluster = ControlPlane & { api: Api }

const patience = { start: 240_000, stop: 60_000 }

/**
 * A suite that needs operators on a real control plane and a real Kafka, its own ones. What `define` gets is empty until they run: it is for use inside
 * hooks and tests only. When a test fails the end of the operators' logs is shown.
 */
export function describeOperatorCluster(
  define: (cluster: OperatorCluster) => void,
  options: OperatorClusterOptions = {},
): void {
  describePart('kubernetes', (kubernetes) => {
    describePart('kafka', (kafka) => {
      const cluster = opened(() => startOperatorCluster({ kubernetes, kafka }, options))
      const showUnless = (passed: boolean) => {
        if (!passed && 'operatorLogs' in cluster) process.stderr.write(cluster.operatorLogs())
      }
      afterEach(({ task }) => showUnless(task.result?.state !== 'fail'))
      // Without a first test a hook has failed.
      let hasBegun = false
      beforeEach(() => {
        hasBegun = true
      })
      afterAll(() => showUnless(hasBegun))
      define(cluster)
    })
  })
}

/** A suite that needs a real API server, and nothing that runs on it: there are no pods. As for `define`, see above. */
export function describeApiServer(define: (cluster: ApiCluster) => void): void {
  describePart('kubernetes', (binaries) => {
    define(opened(async () => {
      const control = await startControlPlane({ binaries, workloads: false })
      const { api, close } = openAdministratorApi(control)
      return {
        ...control,
        api,
        async stop() {
          await close()
          await control.stop()
        },
      }
    }))
  })
}

function opened<T extends { stop(): Promise<void> }>(open: () => Promise<T>): T {
  const running = {} as T
  beforeAll(async () => void Object.assign(running, await open()), patience.start)
  afterAll(() => running.stop?.(), patience.stop)
  return running
}
