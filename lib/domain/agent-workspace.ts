import type { Agent, AgentDecision, Workspace } from './agent.ts';
import { decided, requireStatus } from './agent-transition.ts';

/** A generation of the workspace is verified, and is now the one that the next runtime starts from. */
export function saveWorkspace(agent: Agent, workspace: Workspace, nowMs: number): AgentDecision {
  requireStatus(agent, 'save its workspace', ['running', 'stopping']);
  const { generation, bytes, files } = workspace;
  return decided(agent, { workspace }, nowMs, { type: 'agent.workspace_saved', data: { generation, bytes, files } });
}
