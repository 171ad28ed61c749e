#!/bin/bash
# Quantizes a checkpoint with an array of 8 jobs on a shared file system, and
# merges when all of them have succeeded:
#
#   job=$(sbatch --parsable slurm.sh quantize /models/source /models/bitmod4)
#   sbatch --dependency=afterok:$job slurm.sh merge /models/bitmod4
#
# The merging job is an array too, of which only the first does anything. A job
# that fails or is requeued goes on after the files that it had finished:
#
#   sbatch --array=3 slurm.sh quantize /models/source /models/bitmod4
#
#SBATCH --job-name=quantize
#SBATCH --array=0-7
#SBATCH --cpus-per-task=8
#SBATCH --mem=1G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@30

set -euo pipefail

parts=8 # as in --array, and the same for a part that is run again
quantize=${QUANTIZE:-quantize}

case "${1:-}" in
quantize)
  exec "$quantize" -in "$2" -out "$3" -type bitmod4 -strict -shard-size 1G \
    -shard "$SLURM_ARRAY_TASK_ID/$parts" -workers "$SLURM_CPUS_PER_TASK"
  ;;
merge)
  if [ "$SLURM_ARRAY_TASK_ID" -eq "$SLURM_ARRAY_TASK_MIN" ]; then
    exec "$quantize" merge "$2"
  fi
  ;;
*)
  echo "usage: slurm.sh quantize SOURCE RESULT | slurm.sh merge RESULT" >&2
  exit 2
  ;;
esac
