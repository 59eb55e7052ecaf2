#!/usr/bin/env bash
# Trains one scale on several machines of a SLURM cluster:
#
#     mkdir -p logs && sbatch --nodes 2 train/parallel/slurm.sh 7b
#
# Run it in the repository's folder, which all machines must share, as they must data/.
# Ten minutes before the time limit, or when the job is preempted, it is put back into the queue;
# a run goes on from its last checkpoint by itself, so nothing else has to be kept.
#SBATCH --job-name=palo
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=96
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=logs/%x-%j.out

set -euo pipefail

scale=${1:?say which scale: sbatch train/parallel/slurm.sh 7b}
export PROFILE=${PROFILE:-palo}
gpus=${PALO_PROCESSES_PER_NODE:-${SLURM_GPUS_ON_NODE:-8}}

export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}

head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
port=$((20000 + SLURM_JOB_ID % 20000))

# shellcheck disable=SC2329
again() {
    echo "Job $SLURM_JOB_ID goes back into the queue; it goes on from its last checkpoint."
    scontrol requeue "$SLURM_JOB_ID"
    kill -TERM "$training" 2>/dev/null || true
}
trap again USR1

srun --kill-on-bad-exit=1 .venv/bin/torchrun \
    --nnodes "$SLURM_NNODES" \
    --nproc-per-node "$gpus" \
    --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-backend c10d \
    --rdzv-endpoint "$head_node:$port" \
    -m palo train --scale "$scale" &
training=$!

# `wait` returns when a signal comes, and once more when the training has ended.
status=0
wait "$training" || status=$?
while kill -0 "$training" 2>/dev/null; do
    status=0
    wait "$training" || status=$?
done
exit "$status"
