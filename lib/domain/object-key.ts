/** Every key of ours in the bucket. The grants of functions and agents are on these prefixes. */

/** What belongs to any agent of a tenant. */
export const allAgentObjects = (tenant: string) => `agents/${tenant}/`;

/** What belongs to an agent: its generations, by the runtimes that saved them. */
export const agentObjects = (tenant: string, agentId: string) => `${allAgentObjects(tenant)}${agentId}/`;

/** Where one runtime may write. */
export const runtimeObjects = (tenant: string, agentId: string, runtimeId: string) =>
  `${agentObjects(tenant, agentId)}runtimes/${runtimeId}/`;

/** What a fork has got from another agent. */
export const copiedObject = (tenant: string, agentId: string, name: string) =>
  `${agentObjects(tenant, agentId)}copied/${name}`;

/** An input that is too large for its record. */
export const inputObject = (tenant: string, taskId: string) => `tasks/${tenant}/${taskId}/input`;

/** Where an attempt puts an output that is too large for an answer. */
export const outputObject = (tenant: string, taskId: string, fence: number) =>
  `tasks/${tenant}/${taskId}/output-${fence}`;

/** Where an attempt puts the files that it gives to other tasks: apart from its agent's, which may be gone by then. */
export const exportsObject = (tenant: string, taskId: string, fence: number) =>
  `tasks/${tenant}/${taskId}/exports-${fence}`;

export const uploadObject = (tenant: string, uploadId: string) => `uploads/${tenant}/${uploadId}`;

/** What belongs to a run: values that are too large for its head. */
export const runObjects = (tenant: string, runId: string) => `runs/${tenant}/${runId}/`;
