#!/bin/bash
# SGE: qsub submit_files/sge.sh program.py [arguments]
# Without a program it checks the pool.
#
# qsub reads the lines that begin with #$; take one # from ##$ to use it.

#$ -N scoop_mpi
#$ -pe mpi 4
#$ -l h_rt=00:10:00
#$ -cwd
#$ -V
#$ -j y
#$ -S /bin/bash
##$ -l h_vmem=2G
##$ -q NAME
##$ -P NAME

# -pe: the parallel environment (qconf -spl lists those of your site) and the slots; one
# is the broker's, the others are workers. h_rt: hours:minutes:seconds.
# -V: the job gets the environment of this shell.

# What your site needs to find Python and MPI, like:
# module load python openmpi
# source ~/venv/bin/activate

exec "${PYTHON:-python3}" -m scoop_mpi "$@"
